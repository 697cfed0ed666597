package competition_test

import (
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
)

// BenchmarkSubmitToScore is the whole way of a Titanic file: received,
// validated, kept, queued, scored, on the board.
func BenchmarkSubmitToScore(b *testing.B) {
	w := newWorld(b, memory(b))
	w.run()
	file := read(b, "../../competitions/titanic-survival/sample_submission.csv")
	var people []auth.Actor
	for i := 0; b.Loop(); i++ {
		if i%20 == 0 {
			b.StopTimer()
			people = append(people, w.user())
			b.StartTimer()
		}
		a := people[len(people)-1]
		r, err := w.Submit(ctx(b), a, "titanic-survival", competition.Upload{Filename: "p.csv", Size: -1, File: strings.NewReader(file)})
		ok(b, err)
		w.settled(a, r.Submission.ID)
	}
}
