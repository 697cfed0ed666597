package session

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// StartRequest is what a user asks for.
type StartRequest struct {
	Tier   Tier   // empty: public
	PackID string // empty: the configured Pack
	// From is the slug or id of a session whose newest snapshot the workspace
	// begins with, or SLUG@SNAPSHOT for an older one. Empty: an empty workspace.
	From string
}

// Start claims a GPU and the slots and returns the row at Starting; the rest
// happens in the background, whatever becomes of the caller. Errors:
// NotImplemented (tier private), Invalid (tier, Pack, From), NotFound (From),
// Conflict "sessions/no-snapshot", LimitReached
// "sessions/user-limit-reached" and "sessions/no-gpu-available", Denied (from
// inside a session), Unavailable (containerd, the workspaces or the GPUs).
func (s *Service) Start(ctx context.Context, a auth.Actor, r StartRequest) (Session, error) {
	if err := mayChange(a); err != nil {
		return Session{}, err
	}
	switch r.Tier {
	case "", TierPublic:
		r.Tier = TierPublic
	case TierPrivate:
		return Session{}, fault.New(fault.NotImplemented, "sessions/private-tier-not-implemented",
			"Private sessions are not offered on this host. Start a public one: medforge session start --tier public.")
	default:
		return Session{}, fault.New(fault.Invalid, "sessions/invalid-tier", "There is no tier %q; the tier is public.", r.Tier)
	}
	if r.PackID != "" && r.PackID != s.o.PackName {
		return Session{}, fault.New(fault.Invalid, "sessions/unknown-pack", "There is no Pack %q here; this host runs %q.", r.PackID, s.o.PackName)
	}
	pack, err := s.packInUse(ctx)
	if err != nil {
		return Session{}, err
	}
	from, err := s.snapshotFrom(ctx, a, r.From)
	if err != nil {
		return Session{}, err
	}
	if err := s.o.Workspaces.Check(ctx); err != nil {
		return Session{}, err
	}
	gpus, err := s.candidates(ctx)
	if err != nil {
		return Session{}, err
	}
	limit, err := s.o.UserLimit(ctx, a.UserID)
	if err != nil {
		return Session{}, err
	}
	row := Session{
		ID: uuid.NewString(), UserID: a.UserID, Tier: r.Tier, Status: Starting,
		PackID: pack.ID, PackDigest: pack.Digest, FromSnapshot: from,
		CreatedAt: s.o.Now().UTC().Truncate(time.Microsecond),
	}
	row, err = s.claim(ctx, row, gpus, limit)
	if err != nil {
		return Session{}, err
	}
	faultpoint.Hit("start.claimed")
	s.index.put(row)
	s.publish(event.SessionStart, row, a.UserID, map[string]any{
		"pack_digest": row.PackDigest, "gpu_index": row.GPUIndex, "gpu_uuid": row.GPUUUID, "from": row.FromSnapshot,
	})
	s.drives.kick(row.ID)
	return row, nil
}

// claim draws a slug that is free and takes everything exclusive.
func (s *Service) claim(ctx context.Context, row Session, gpus []GPU, userLimit int) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		slug, err := newSlug(s.o.Random)
		if err != nil {
			return Session{}, fault.Wrap(err, fault.Internal, "sessions/no-randomness", "No slug could be drawn.")
		}
		row.Slug, row.ContainerID = slug, ContainerName(slug)
		got, err := s.o.Store.Claim(ctx, Claim{Session: row, GPUs: gpus, UserLimit: userLimit, HostLimit: s.o.MaxConcurrent})
		if fault.Is(err, fault.Exists) && ctx.Err() == nil {
			continue // two in 2^40; the next draw differs
		}
		return got, err
	}
}

// StopOutcome is what a stop found.
type StopOutcome string

// The outcomes.
const (
	StopRequested   StopOutcome = "requested"
	AlreadyTerminal StopOutcome = "terminal"
)

// Stop records that the session is to end and returns; the finisher does the
// rest. Asking again is no error. Errors: NotFound, Denied.
func (s *Service) Stop(ctx context.Context, a auth.Actor, ref string) (StopOutcome, error) {
	if err := mayChange(a); err != nil {
		return "", err
	}
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return "", err
	}
	row, err = s.stopping(ctx, row, StopWanted, ReasonRequested, "", a.UserID)
	if err != nil {
		return "", err
	}
	if row.Status.Terminal() {
		return AlreadyTerminal, nil
	}
	s.drives.abort(row.ID)
	s.drives.kick(row.ID)
	return StopRequested, nil
}

// stopping records the intent to end a session with the name of the snapshot
// to take. A row that is past that already is returned as it is.
func (s *Service) stopping(ctx context.Context, row Session, t Trigger, why StopReason, message, actorID string) (Session, error) {
	c := change(t)
	c.At = s.o.Now().UTC()
	c.Reason = why
	c.ErrorMessage = message
	c.SnapshotName = snapshotName(c.At)
	after, err := s.apply(ctx, row.ID, c)
	if fault.Is(err, fault.Conflict) && after.ID != "" {
		return after, nil
	}
	if err != nil {
		return after, err
	}
	faultpoint.Hit("stop.recorded")
	s.publish(event.SessionStopping, after, actorID, map[string]any{"reason": why})
	return after, nil
}

// snapshotName is a stop's snapshot.
func snapshotName(at time.Time) string { return fmt.Sprintf("stop-%d", at.UnixMilli()) }

// mayChange refuses callers that may not start or stop anything: nobody, and
// code inside a session.
func mayChange(a auth.Actor) error {
	if !a.Known() {
		return notSignedIn()
	}
	if a.Via == auth.ViaSession {
		return fault.New(fault.Denied, "sessions/not-from-a-session", "A session cannot start or stop sessions. Run this on the host or on MedForge's page.")
	}
	return nil
}
