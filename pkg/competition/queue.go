package competition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/scoring"
)

// maxTries is how often a submission is taken before it has failed by our
// fault: one that kills the daemon each time must not do so for ever.
const maxTries = 5

// Run scores what is queued until ctx ends. A submission that was on its way
// then goes back into the queue.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range s.o.Scorers {
		wg.Go(func() { s.work(ctx) })
	}
	wg.Wait()
}

// work takes submissions until ctx ends. A database that does not answer is
// asked again with growing waits.
func (s *Service) work(ctx context.Context) {
	wait := s.o.Poll
	for ctx.Err() == nil {
		took, err := s.one(ctx)
		if took {
			wait = s.o.Poll
			continue
		}
		if err != nil {
			s.o.Logger.Error("the scoring queue cannot be read", "error", err)
			wait = min(2*wait, 30*time.Second)
		} else {
			wait = s.o.Poll
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// one takes and scores one submission.
func (s *Service) one(ctx context.Context) (took bool, err error) {
	lease, err := s.newID()
	if err != nil {
		return false, err
	}
	now := s.now()
	sub, err := s.o.Store.Take(ctx, lease, now, now.Add(s.o.Lease))
	if fault.Is(err, fault.NotFound) || errors.Is(err, context.Canceled) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.stir() // there may be more, for the others
	s.judge(ctx, sub, lease)
	return true, nil
}

// judge scores a submission that this worker holds, and records what came of
// it. The lease is kept alive meanwhile; if it is lost the work is dropped.
func (s *Service) judge(ctx context.Context, sub Submission, lease string) {
	work, stop := context.WithTimeout(ctx, s.o.ScoreTimeout)
	defer stop()
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		s.heartbeat(work, stop, sub.ID, lease)
	}()
	c, score, err := s.score(work, sub)
	late := errors.Is(work.Err(), context.DeadlineExceeded)
	stop()
	<-beat

	// What is recorded is recorded even if the daemon is ending.
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	switch {
	case err == nil:
		err = s.complete(record, c, sub, lease, score)
	case ctx.Err() != nil:
		err = s.fail(record, sub, Failure{Lease: lease, Message: "The daemon ended while it was scored; it is scored again.", Retry: true})
	default:
		err = s.failed(record, sub, lease, err, late)
	}
	if err != nil && !fault.Is(err, fault.Conflict) { // a lost lease is somebody else's now
		s.o.Logger.Error("a score could not be recorded; its lease will run out and it is scored again", "submission", sub.ID, "error", err)
	}
}

func (s *Service) heartbeat(ctx context.Context, lost func(), id, lease string) {
	t := time.NewTicker(s.o.Lease / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := s.o.Store.Extend(ctx, id, lease, s.now().Add(s.o.Lease))
		if fault.Is(err, fault.Conflict) {
			s.o.Logger.Warn("the lease of a submission was lost", "submission", id)
			lost()
			return
		}
	}
}

// score computes a submission's score from its file. A panic in a metric is
// our fault and nothing more.
func (s *Service) score(ctx context.Context, sub Submission) (c Competition, score scoring.Score, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "competitions/scorer-broke", "panic: %v\n%s", p, debug.Stack())
		}
	}()
	if sub.Tries > maxTries {
		return c, score, fault.New(fault.Internal, "competitions/too-many-tries", "it was taken %d times", sub.Tries)
	}
	if c, err = s.o.Store.Competition(ctx, sub.Competition); err != nil {
		return c, score, err
	}
	scorer, err := s.scorer(ctx, c)
	if err != nil {
		return c, score, err
	}
	f, err := os.Open(s.submissionFile(sub.ID))
	if err != nil {
		return c, score, readFault(err)
	}
	defer f.Close()
	h := sha256.New()
	score, err = scorer.Score(ctx, io.TeeReader(f, h))
	if _, drain := io.Copy(h, f); drain != nil {
		return c, score, readFault(drain)
	}
	if hex.EncodeToString(h.Sum(nil)) != sub.SHA256 {
		return c, score, fault.New(fault.Internal, "competitions/file-changed", "the stored file is not the one that was sent")
	}
	return c, score, err
}

func (s *Service) complete(ctx context.Context, c Competition, sub Submission, lease string, score scoring.Score) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	spec, err := c.spec()
	if err != nil {
		return err
	}
	parts := map[string]float64{}
	for _, p := range score.Components {
		parts[p.Name] = p.Value
	}
	done := Completion{SubmissionID: sub.ID, Lease: lease, Ladder: spec.Leaderboard.LadderStep, Score: Score{
		ID: id, SubmissionID: sub.ID, ScorerVersion: scoring.ScorerVersion, MetricVersion: score.MetricVersion,
		SplitVersion: c.SplitVersion, ManifestSHA256: c.ManifestSHA256, HoldoutSHA256: c.HoldoutSHA256,
		Primary: score.Primary, Components: parts, ScoredAt: s.now()}}
	out, err := s.o.Store.Complete(ctx, done)
	if err != nil {
		return err
	}
	show := display{spec.Leaderboard}
	primary := show.number(score.Primary)
	if show.LadderStep > 0 {
		primary = show.number(out.After.Primary)
	}
	s.o.Publish(event.Event{Type: event.Scored, UserID: sub.UserID, SessionID: sub.SessionID,
		Data: map[string]any{"competition": c.Slug, "submission_id": sub.ID, "primary_score": primary}})
	s.tellBoard(ctx, c, show, out)
	s.settled(sub.ID)
	return nil
}

// tellBoard publishes a change of the board. It names people, and no more of
// them than the board does.
func (s *Service) tellBoard(ctx context.Context, c Competition, show display, out Outcome) {
	if out.Before != nil && out.Before.SubmissionID == out.After.SubmissionID && out.Before.Primary == out.After.Primary {
		return
	}
	at, err := s.o.Store.Standing(ctx, c.Slug, c.SplitVersion, out.After.UserID)
	if err != nil {
		s.o.Logger.Error("a place on the board could not be read", "competition", c.Slug, "error", err)
		return
	}
	s.o.Publish(event.Event{Type: event.Leaderboard, Public: true, Data: map[string]any{"competition": c.Slug,
		"user_id": at.UserID, "name": at.Name, "rank": at.Rank, "primary_score": show.number(at.Primary)}})
}

// failed decides what a failure means: bad predictions are the submitter's,
// all else is ours, and what may pass is tried again.
func (s *Service) failed(ctx context.Context, sub Submission, lease string, why error, late bool) error {
	f := Failure{Lease: lease, OurFault: true}
	kind := fault.KindOf(why)
	switch {
	case late:
		f.Message = fmt.Sprintf("It took longer than %s to score. It takes none of the day's submissions.", s.o.ScoreTimeout)
	case kind == fault.Invalid:
		f.OurFault = false
		f.Message = fault.As(why).Message
	default:
		f.Message = "Scoring failed by a fault of this MedForge. It takes none of the day's submissions; an admin can have it scored again."
		f.Retry = sub.Tries < maxTries && fault.CodeOf(why) != "competitions/file-changed"
	}
	s.o.Logger.Error("scoring failed", "submission", sub.ID, "competition", sub.Competition, "try", sub.Tries, "again", f.Retry, "error", why)
	return s.fail(ctx, sub, f)
}

func (s *Service) fail(ctx context.Context, sub Submission, f Failure) error {
	f.SubmissionID, f.At = sub.ID, s.now()
	if f.Retry && f.OurFault {
		f.At = f.At.Add(time.Second << min(sub.Tries, 6)) // 2 s, 4 s, 8 s
	}
	if _, err := s.o.Store.Fail(ctx, f); err != nil {
		return err
	}
	if f.Retry {
		return nil
	}
	s.o.Publish(event.Event{Type: event.Scored, UserID: sub.UserID, SessionID: sub.SessionID,
		Data: map[string]any{"competition": sub.Competition, "submission_id": sub.ID, "error": f.Message}})
	s.settled(sub.ID)
	return nil
}

// await returns a channel that is closed when the submission has next been
// scored or has failed.
func (s *Service) await(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = append(s.waiting[id], ch)
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		list := s.waiting[id]
		for i, x := range list {
			if x == ch {
				s.waiting[id] = append(list[:i:i], list[i+1:]...)
			}
		}
		if len(s.waiting[id]) == 0 {
			delete(s.waiting, id)
		}
	}
}

func (s *Service) settled(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.waiting[id] {
		close(ch)
	}
	delete(s.waiting, id)
}
