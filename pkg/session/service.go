package session

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/event"
)

// Options is what a Service is made of. All ports are needed; the rest has
// defaults where the comment names one.
type Options struct {
	Runtime    Runtime
	Packs      Packs
	Workspaces Workspaces
	GPUs       GPUs
	Sockets    Sockets
	Store      Store
	// Publish takes events. It must not block.
	Publish func(event.Event)
	// UserLimit returns how many active sessions a user may have.
	UserLimit func(ctx context.Context, userID string) (int, error)
	// Listening says whether anybody reads events. nil: nobody.
	Listening func() bool
	// ServeAPI serves a session's own api socket until the listener closes.
	// nil: sessions get no api socket.
	ServeAPI func(l net.Listener, s Session)

	MaxConcurrent  int           // active sessions on the host
	PackName       string        // "default"
	StartTimeout   time.Duration // 60 s: until the IDE must have answered
	StopGrace      time.Duration // 10 s: between SIGTERM and SIGKILL
	GPUIdleTimeout time.Duration // 15 s: for a GPU to be idle after its session
	PollInterval   time.Duration // 15 s: the slow net beneath events
	SampleInterval time.Duration // 2 s: between readings of the GPUs while sessions run or somebody listens
	RetryFirst     time.Duration // 250 ms: first wait before a step is tried again
	RetryMax       time.Duration // 30 s: the cap of that wait
	Limits         Limits        // what each container gets at most
	WatchSpace     bool          // workspaces have a quota worth watching

	Now    func() time.Time // time.Now
	Random io.Reader        // crypto/rand
	Logger *slog.Logger     // discards
}

// Service is the sessions of one host.
type Service struct {
	o       Options
	index   *index
	drives  *drives
	health  *health
	sampler *sampler

	pollMu    sync.Mutex     // one look at everything at a time
	spaceMark map[string]int // the mark each running session's space last crossed, by id

	apiMu sync.Mutex
	apis  map[string]net.Listener // by slug
	wg    sync.WaitGroup          // served api sockets
}

// NewService makes a Service. Nothing happens before Run.
func NewService(o Options) *Service {
	setDefault(&o.PackName, "default")
	setDefault(&o.MaxConcurrent, 7)
	setDefault(&o.StartTimeout, 60*time.Second)
	setDefault(&o.StopGrace, 10*time.Second)
	setDefault(&o.GPUIdleTimeout, 15*time.Second)
	setDefault(&o.PollInterval, 15*time.Second)
	setDefault(&o.SampleInterval, 2*time.Second)
	setDefault(&o.RetryFirst, 250*time.Millisecond)
	setDefault(&o.RetryMax, 30*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Publish == nil {
		o.Publish = func(event.Event) {}
	}
	if o.Listening == nil {
		o.Listening = func() bool { return false }
	}
	s := &Service{o: o, index: newIndex(), health: newHealth(o.Now, o.Publish), apis: map[string]net.Listener{}}
	s.drives = newDrives(s.drive)
	s.sampler = newSampler(o.GPUs, o.Now, o.SampleInterval)
	return s
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// publish fills in what every session event carries.
func (s *Service) publish(t event.Type, row Session, actorID string, data map[string]any) {
	s.o.Publish(event.Event{
		Time: s.o.Now(), Type: t, UserID: row.UserID, SessionID: row.ID, Slug: row.Slug, ActorID: actorID, Data: data,
	})
}

// apply makes a change in the store and shows it to whoever looks things up in
// memory.
func (s *Service) apply(ctx context.Context, id string, c Change) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	row, err := s.o.Store.Apply(ctx, id, c)
	if row.ID != "" {
		s.index.put(row)
	}
	return row, err
}

// How long one call may take. They bound a hang, not a slow host.
const (
	storeTimeout     = 15 * time.Second
	runtimeTimeout   = 30 * time.Second
	createTimeout    = 10 * time.Minute // may unpack a large Pack
	workspaceTimeout = 30 * time.Minute // a copy of a large workspace by the dir driver
	probeTimeout     = 5 * time.Second
)
