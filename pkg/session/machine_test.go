package session

import "testing"

// Every pair of state and trigger, written out: what is not here must change
// nothing.
func TestTransitions(t *testing.T) {
	t.Parallel()
	want := map[Status]map[Trigger]Status{
		Starting: {Answered: Running, StartFailed: Stopping, StopWanted: Stopping, GPULost: Stopping},
		Running:  {StopWanted: Stopping, Died: Stopping, GPULost: Stopping},
		Stopping: {Ended: Stopped, EndedBadly: Error},
		Stopped:  {},
		Error:    {},
	}
	for _, from := range statuses {
		for _, tr := range triggers {
			got, ok := NextStatus(from, tr)
			exp, should := want[from][tr]
			if ok != should || got != exp {
				t.Errorf("%s + %s = %q, %v; want %q, %v", from, tr, got, ok, exp, should)
			}
		}
	}
}

// A terminal state has no way out, and every state reaches one.
func TestEveryStateEnds(t *testing.T) {
	t.Parallel()
	for _, from := range statuses {
		if from.Terminal() == from.Active() {
			t.Errorf("%s is both or neither of active and terminal", from)
		}
		if from.Terminal() && len(transitions[from]) > 0 {
			t.Errorf("%s is terminal and has a way out", from)
		}
		seen, todo, ends := map[Status]bool{}, []Status{from}, false
		for len(todo) > 0 {
			st := todo[0]
			todo = todo[1:]
			if seen[st] {
				continue
			}
			seen[st] = true
			ends = ends || st.Terminal()
			for _, to := range transitions[st] {
				todo = append(todo, to)
			}
		}
		if !ends {
			t.Errorf("%s never ends", from)
		}
	}
}

// A trigger leads to one state only, wherever it comes from: change relies on
// it.
func TestTriggersHaveOneTarget(t *testing.T) {
	t.Parallel()
	for _, tr := range triggers {
		targets := map[Status]bool{}
		for _, from := range statuses {
			if to, ok := NextStatus(from, tr); ok {
				targets[to] = true
			}
		}
		if len(targets) != 1 {
			t.Errorf("%s leads to %v", tr, targets)
		}
		c := change(tr)
		if !targets[c.To] {
			t.Errorf("change(%s).To = %s", tr, c.To)
		}
	}
}

// The whole table of row and reality.
func TestNext(t *testing.T) {
	t.Parallel()
	want := map[Status]map[Reality]Step{
		Starting: {Absent: StepStart, Dead: StepStart, Alive: StepStart, Unknown: StepStart},
		Running:  {Absent: StepRecordDead, Dead: StepRecordDead, Alive: StepNone, Unknown: StepNone},
		Stopping: {Absent: StepFinish, Dead: StepFinish, Alive: StepFinish, Unknown: StepFinish},
		Stopped:  {Absent: StepNone, Dead: StepSweep, Alive: StepSweep, Unknown: StepNone},
		Error:    {Absent: StepNone, Dead: StepSweep, Alive: StepSweep, Unknown: StepNone},
	}
	for _, row := range statuses {
		for _, r := range realities {
			if got := Next(row, r); got != want[row][r] {
				t.Errorf("Next(%s, %s) = %s, want %s", row, r, got, want[row][r])
			}
		}
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	fixed := repeatReader{0xff, 0x00, 0x12, 0x34, 0x56}
	slug, err := newSlug(&fixed)
	// RFC 4648 base32 of those five bytes, as another program gives it, in lower case.
	if err != nil || slug != "74abencw" || !ValidSlug(slug) {
		t.Fatalf("newSlug = %q, %v", slug, err)
	}
	for _, bad := range []string{"", "abc", "abcdefg1", "ABCDEFGH", "abcdefghi", "abcdef-h", "abcdefg0", "abcdéfg"} {
		if ValidSlug(bad) {
			t.Errorf("ValidSlug(%q) = true", bad)
		}
	}
}

type repeatReader []byte

func (r *repeatReader) Read(p []byte) (int, error) { return copy(p, *r), nil }
