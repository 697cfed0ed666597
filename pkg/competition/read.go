package competition

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// List returns all competitions, by slug.
func (s *Service) List(ctx context.Context) ([]Competition, error) {
	return s.o.Store.Competitions(ctx)
}

// Get errors: NotFound.
func (s *Service) Get(ctx context.Context, slug string) (Competition, Manifest, error) {
	c, err := s.o.Store.Competition(ctx, slug)
	if err != nil {
		return c, Manifest{}, err
	}
	spec, err := c.spec()
	return c, spec.Manifest, err
}

// Board is a page of a competition's leaderboard.
type Board struct {
	Competition Competition
	Options     BoardOptions
	Entries     []Entry
	Next        string // key of the last entry when more follow
	Size        int    // users on the whole board
	Me          *Entry // the asking user's own, wherever it is
}

// Leaderboard returns a page of the board of the competition's present split.
// Errors: NotFound, Invalid "pagination/invalid-cursor".
func (s *Service) Leaderboard(ctx context.Context, a auth.Actor, slug string, limit int, after string) (Board, error) {
	c, m, err := s.Get(ctx, slug)
	if err != nil {
		return Board{}, err
	}
	b := Board{Competition: c, Options: m.Leaderboard}
	show := display{m.Leaderboard}
	rows, err := s.o.Store.Board(ctx, BoardQuery{Competition: slug, SplitVersion: c.SplitVersion, Limit: limit + 1, After: after})
	if err != nil {
		return b, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		b.Next = rows[limit-1].Key
	}
	for _, e := range rows {
		b.Entries = append(b.Entries, show.entry(e))
	}
	if b.Size, err = s.o.Store.BoardSize(ctx, slug, c.SplitVersion); err != nil {
		return b, err
	}
	me, err := s.standing(ctx, c, a.UserID)
	if me != nil {
		e := show.entry(*me)
		b.Me = &e
	}
	return b, err
}

// standing is a user's entry, nil for none.
func (s *Service) standing(ctx context.Context, c Competition, userID string) (*Entry, error) {
	if userID == "" {
		return nil, nil
	}
	e, err := s.o.Store.Standing(ctx, c.Slug, c.SplitVersion, userID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// Mine lists the caller's submissions to a competition, newest first. Errors:
// NotFound, Invalid "pagination/invalid-cursor".
func (s *Service) Mine(ctx context.Context, a auth.Actor, slug string, limit int, after string) (rows []Submission, next string, err error) {
	if err := needUser(a); err != nil {
		return nil, "", err
	}
	c, m, err := s.Get(ctx, slug)
	if err != nil {
		return nil, "", err
	}
	rows, err = s.o.Store.ListSubmissions(ctx, SubmissionFilter{Competition: slug, UserID: a.UserID, Limit: limit + 1, After: after})
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].ID
	}
	me, err := s.standing(ctx, c, a.UserID)
	for i := range rows {
		rows[i] = display{m.Leaderboard}.submission(rows[i], me)
	}
	return rows, next, err
}

// Submission returns one of the caller's own, or anybody's to an admin, who sees
// others' scores with all their digits.
// Errors: NotFound "competitions/submission-not-found", which is also the
// answer to a stranger.
func (s *Service) Submission(ctx context.Context, a auth.Actor, id string) (Submission, error) {
	sub, err := s.o.Store.Submission(ctx, id)
	if err != nil {
		return sub, err
	}
	if !a.Owns(sub.UserID) {
		return Submission{}, fault.New(fault.NotFound, "competitions/submission-not-found",
			"There is no submission %s that you may see.", id)
	}
	if a.Admin() && a.UserID != sub.UserID {
		return sub, nil
	}
	c, m, err := s.Get(ctx, sub.Competition)
	if err != nil {
		return sub, err
	}
	me, err := s.standing(ctx, c, sub.UserID)
	return display{m.Leaderboard}.submission(sub, me), err
}

// rescoreWait is how long Rescore waits for the score.
const rescoreWait = 30 * time.Second

// Rescore has a submission scored again, which adds a score. It waits a while
// for it; the submission it returns may still be queued. Errors: Denied,
// NotFound.
func (s *Service) Rescore(ctx context.Context, a auth.Actor, id string) (Submission, error) {
	if err := needAdmin(a); err != nil {
		return Submission{}, err
	}
	if _, err := s.o.Store.Rescore(ctx, id, s.now()); err != nil {
		return Submission{}, err
	}
	s.stir()
	ctx, cancel := context.WithTimeout(ctx, rescoreWait)
	defer cancel()
	for {
		done, stop := s.await(id)
		sub, err := s.o.Store.Submission(context.WithoutCancel(ctx), id)
		if err != nil || sub.Status == Scored || sub.Status == Failed || ctx.Err() != nil {
			stop()
			return sub, err
		}
		select {
		case <-done:
		case <-ctx.Done():
		}
		stop()
	}
}

// RescoreAll queues every submission of a competition again and returns how
// many. Errors: Denied, NotFound.
func (s *Service) RescoreAll(ctx context.Context, a auth.Actor, slug string) (int, error) {
	if err := needAdmin(a); err != nil {
		return 0, err
	}
	if _, err := s.o.Store.Competition(ctx, slug); err != nil {
		return 0, err
	}
	n, err := s.o.Store.RescoreAll(ctx, slug, s.now())
	s.stir()
	return n, err
}
