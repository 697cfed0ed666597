package tui

import (
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// place is one user's row of a board.
type place struct {
	api.LeaderboardEntry
	first int // the rank when the screen was opened, or when it was first seen
	best  time.Time
	gain  float64 // by how much the last best was better; 0 for a first one
}

// standings are the places of a board from the first one on, as far as they
// are loaded, without a hole: the rank of a place is where it stands. Places
// are moved by pointer, so that a change of a board of 100,000 costs little.
type standings struct {
	rows []*place
	at   map[string]int // where a user's place stood when it was last looked up
}

func newStandings() *standings { return &standings{at: map[string]int{}} }

// add appends a page.
func (s *standings) add(page []api.LeaderboardEntry) {
	for _, e := range page {
		if i := s.find(e.UserID); i >= 0 { // it moved down from a page before while they were read
			s.take(i)
		}
		s.at[e.UserID] = len(s.rows)
		s.rows = append(s.rows, &place{LeaderboardEntry: e, first: e.Rank})
	}
}

// keep takes over from earlier standings what only the screen knows.
func (s *standings) keep(old *standings) {
	for _, p := range s.rows {
		if i := old.find(p.UserID); i >= 0 {
			o := old.rows[i]
			p.first, p.best, p.gain = o.first, o.best, o.gain
		}
	}
}

// find is where a user stands, or -1. It looks around the place where that
// was last: others that came or went have moved it by a few.
func (s *standings) find(user string) int {
	hint, known := s.at[user]
	if !known {
		return -1
	}
	for d := 0; d < len(s.rows); d++ {
		if i := hint - d; i >= 0 && i < len(s.rows) && s.rows[i].UserID == user {
			s.at[user] = i
			return i
		}
		if i := hint + d; i < len(s.rows) && s.rows[i].UserID == user {
			s.at[user] = i
			return i
		}
	}
	delete(s.at, user)
	return -1
}

func (s *standings) take(i int) *place {
	p := s.rows[i]
	s.rows = append(s.rows[:i], s.rows[i+1:]...)
	delete(s.at, p.UserID)
	return p
}

// change puts a user at a new rank. It reports false when the user was not
// known, who then is new on the board or comes from beyond what is loaded.
func (s *standings) change(e api.LeaderboardEntry, now time.Time) (known bool) {
	p := &place{LeaderboardEntry: e, first: e.Rank, best: now}
	if i := s.find(e.UserID); i >= 0 {
		known = true
		old := s.take(i)
		p.first, p.gain = old.first, e.PrimaryScore-old.PrimaryScore
		if p.gain == 0 {
			p.best, p.gain = old.best, old.gain
		}
	}
	to := e.Rank - 1
	if to < 0 || to > len(s.rows) || to == len(s.rows) && !known {
		return known // it stands beyond what is loaded, and its page will have it
	}
	s.rows = append(s.rows, nil)
	copy(s.rows[to+1:], s.rows[to:])
	s.rows[to] = p
	s.at[e.UserID] = to
	return known
}
