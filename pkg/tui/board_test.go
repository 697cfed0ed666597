package tui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

func TestBoardFrames(t *testing.T) {
	t.Parallel()
	d := empty()
	newOn(t, d, "4").golden("board-none")
	d.compete()
	d.board = nil
	newOn(t, d, "4").golden("board-empty")

	r := newOn(t, full(), "4")
	r.golden("board-full")
	r.events(changed("user-9", 2, 0.9723), changed(aliceID, 20, 0.7781))
	r.golden("board-changed")
	r.keys("j", "enter")
	r.golden("board-history")
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(4 * time.Second), turn: 1}})
	r.golden("board-lost")

	broken := full()
	r = newRig(t, broken, termenv.Ascii, true)
	broken.err = fault.New(fault.NotFound, "competitions/competition-not-found", "There is no competition \"cifar-100-classification\".")
	r.do(r.m.screens[3].(*board).open("cifar-100-classification"))
	r.golden("board-error")
}

func newOn(t testing.TB, d *fake, key string) *rig {
	r := newRig(t, d, termenv.Ascii, true)
	r.keys(key)
	return r
}

// changed is the event of a new best.
func changed(user string, rank int, v float64) api.Event {
	return api.Event{Type: api.EventLeaderboard, Time: noon, Data: map[string]any{"competition": "cifar-100-classification", "user_id": user,
		"name": "Name of " + user, "rank": float64(rank), "primary_score": v}}
}

func TestANewBestIsMarkedAndMoves(t *testing.T) {
	t.Parallel()
	d := full()
	r := newOn(t, d, "4")
	r.size(120, 40)
	b := r.m.screens[3].(*board)
	r.events(changed("user-9", 2, 0.9723))
	if got := b.st.rows[1]; got.UserID != "user-9" || got.first != 10 || b.st.rows[2].UserID != "user-1" {
		t.Fatalf("second is %+v", got)
	}
	r.has("▲8", "new best +0.0940")
	rows := d.board["cifar-100-classification"]
	nine := rows[9]
	nine.PrimaryScore = 0.9723
	copy(rows[2:10], rows[1:9])
	rows[1] = nine
	for i := range rows {
		rows[i].Rank = i + 1
	}
	r.wait(markTime + time.Second)
	r.hasNot("new best")
	r.has("▲8") // since the screen was opened
	r.events(changed("newcomer", 1, 0.99))
	r.has("61 users")
	if b.st.rows[0].UserID != "newcomer" {
		t.Errorf("first is %+v", b.st.rows[0])
	}
}

// TestTheBoardIsReadAnew: what events tell is so at their moment; the board
// that the daemon has is the one that counts.
func TestTheBoardIsReadAnew(t *testing.T) {
	t.Parallel()
	d := full()
	r := newOn(t, d, "4")
	r.events(changed("user-9", 2, 0.9723))
	rows := d.board["cifar-100-classification"]
	rows[0], rows[1] = rows[1], rows[0] // the daemon has it otherwise
	r.wait(refreshWait)
	r.wait(time.Second)
	b := r.m.screens[3].(*board)
	if b.st.rows[0].UserID != "user-1" || b.dirty || b.next != nil {
		t.Errorf("first is %+v, dirty %v", b.st.rows[0], b.dirty)
	}
	if b.st.rows[9].UserID != "user-9" {
		t.Errorf("tenth is %+v", b.st.rows[9])
	}
}

// many is a board of n users; the caller stands last.
func many(n int) *fake {
	d := empty()
	d.compete()
	rows := make([]api.LeaderboardEntry, n)
	for i := range rows {
		rows[i] = api.LeaderboardEntry{Rank: i + 1, UserID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprintf("competitor %d", i), PrimaryScore: 1 - float64(i)/float64(n), ScoredAt: noon}
	}
	rows[n-1].UserID, rows[n-1].Name = aliceID, "Alice Öztürk"
	d.board["cifar-100-classification"] = rows
	return d
}

func TestALongBoard(t *testing.T) {
	t.Parallel()
	d := many(20_000)
	r := newOn(t, d, "4")
	b := r.m.screens[3].(*board)
	if n := len(b.st.rows); n > 3*pageRows {
		t.Errorf("%d rows are loaded at once", n)
	}
	r.has("▸  20,000", "Alice Öztürk") // one's own row, though it is not loaded
	r.keys("pgdown", "pgdown")
	r.keys("/")
	r.typed("tor 7123")
	r.has("7,124", "competitor 7123")
	r.keys("enter", "m")
	if b.current().UserID != aliceID {
		t.Errorf("m went to %+v", b.current())
	}
	r.keys("g", "G")
	if b.grid.cursor != 19_999 {
		t.Errorf("G went to %d", b.grid.cursor)
	}
	r.keys("esc", "g", "/")
	r.typed("nobody at all")
	r.has("Nobody on this board")
}

// TestStandings holds the moves against a board that is sorted anew each time.
func TestStandings(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	s := newStandings()
	var users []string
	for i := range 300 {
		users = append(users, fmt.Sprint("u", i))
		s.add([]api.LeaderboardEntry{{Rank: i + 1, UserID: users[i], PrimaryScore: 1000 - float64(i)}})
	}
	for n := range 5000 {
		from, to := rnd.IntN(len(users)), 0
		if from > 0 {
			to = rnd.IntN(from)
		}
		u := users[from]
		copy(users[to+1:from+1], users[to:from])
		users[to] = u
		s.change(api.LeaderboardEntry{Rank: to + 1, UserID: u, PrimaryScore: float64(2000 + n)}, noon)
	}
	for i, u := range users {
		if s.rows[i].UserID != u || s.find(u) != i {
			t.Fatalf("rank %d is %s (found at %d), want %s", i+1, s.rows[i].UserID, s.find(u), u)
		}
	}
}

// TestPagesOverlap: a row that moved down while the pages were read comes twice.
func TestPagesOverlap(t *testing.T) {
	t.Parallel()
	s := newStandings()
	s.add([]api.LeaderboardEntry{{Rank: 1, UserID: "a"}, {Rank: 2, UserID: "b"}})
	s.add([]api.LeaderboardEntry{{Rank: 3, UserID: "b"}, {Rank: 4, UserID: "c"}})
	var got []string
	for _, p := range s.rows {
		got = append(got, p.UserID)
	}
	if strings.Join(got, "") != "abc" {
		t.Errorf("got %v", got)
	}
}
