package account

import (
	"context"
	"os/user"
	"strconv"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// unixFresh is how long a uid's name is believed before the system is asked
// again: the system may have to ask a directory server.
const unixFresh = time.Minute

// unixNames remembers the names of uids for a short while.
type unixNames struct {
	lookup func(uint32) (string, error)
	mu     sync.Mutex
	known  map[uint32]unixName
}

type unixName struct {
	name string
	at   time.Time
}

func newUnixNames(lookup func(uint32) (string, error)) *unixNames {
	if lookup == nil {
		lookup = func(uid uint32) (string, error) {
			u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
			if err != nil {
				return "", err
			}
			return u.Username, nil
		}
	}
	return &unixNames{lookup: lookup, known: map[uint32]unixName{}}
}

func (n *unixNames) name(uid uint32, now time.Time) (string, error) {
	if uid == 0 {
		return rootName, nil // whatever the system calls it
	}
	n.mu.Lock()
	k, ok := n.known[uid]
	n.mu.Unlock()
	if age := now.Sub(k.at); ok && age >= 0 && age < unixFresh {
		return k.name, nil
	}
	name, err := n.lookup(uid)
	if err != nil {
		return "", fault.Wrap(err, fault.Denied, "auth/unknown-uid",
			"the user id %d has no name on this host, so it has no account", uid)
	}
	if name == rootName { // a second name for uid 0's account would be an admin
		return "", fault.New(fault.Denied, "auth/unknown-uid", "the user id %d is called root and is not", uid)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[uid] = unixName{name, now}
	return name, nil
}

const rootName = "root"

// UnixUser is who the peer of the daemon's socket is: the account of that uid's
// login name, made at first use. root is always an admin.
// Errors: Denied "auth/unknown-uid", "auth/account-disabled".
func (s *Service) UnixUser(ctx context.Context, uid uint32) (auth.Actor, error) {
	name, err := s.unix.name(uid, s.now())
	if err != nil {
		return auth.Actor{}, err
	}
	p := s.byUnixName(name)
	if p == nil {
		if p, err = s.findOrMakeUnix(ctx, name); err != nil {
			return auth.Actor{}, err
		}
	}
	u := p.Load()
	a := actorOf(u, auth.ViaSocket)
	switch {
	case name == rootName:
		a.Role = auth.RoleAdmin
	case u.Disabled:
		return auth.Actor{}, errDisabled
	}
	return a, nil
}

// byUnixName finds the account in memory. There are as many people as the
// host has users: a walk is as quick as an index that must be kept right.
func (s *Service) byUnixName(name string) *person {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.people {
		if p.Load().UnixName == name {
			return p
		}
	}
	return nil
}

func (s *Service) findOrMakeUnix(ctx context.Context, name string) (*person, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	u, err := s.store.UserByUnixName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		u = User{UnixName: name, Name: cleanLabel(name), Role: auth.RoleUser}
		if name == rootName {
			u.Role = auth.RoleAdmin
		}
		if u, err = s.create(ctx, u, auth.Actor{}); fault.Is(err, fault.Exists) {
			u, err = s.store.UserByUnixName(ctx, name)
		}
	}
	if err != nil {
		return nil, err
	}
	return s.remember(u), nil
}

// create gives a new account its id and stores it. s.writing is held.
func (s *Service) create(ctx context.Context, u User, by auth.Actor) (User, error) {
	id, err := s.newID()
	if err != nil {
		return u, err
	}
	u.ID, u.CreatedAt = id, s.now().UTC().Truncate(time.Millisecond)
	if err := s.store.CreateUser(ctx, u); err != nil {
		return u, err
	}
	s.remember(u)
	s.publish(event.Event{Type: event.AccountCreated, UserID: u.ID, ActorID: by.UserID,
		Data: map[string]any{"name": u.Name, "role": string(u.Role)}})
	return u, nil
}
