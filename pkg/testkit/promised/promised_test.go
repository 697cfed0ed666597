package promised

import "testing"

// recorded is how a test ended.
type recorded struct {
	testing.TB
	end string
}

func (r *recorded) Helper()               {}
func (r *recorded) Skipf(string, ...any)  { r.ends("skipped") }
func (r *recorded) Fatalf(string, ...any) { r.ends("failed") }

// ends notes the first end: a real test goes no further.
func (r *recorded) ends(how string) {
	if r.end == "" {
		r.end = how
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct{ ci, complete, want string }{
		{"", "", "skipped"}, {"true", "", "failed"}, {"1", "", "failed"}, {"false", "", "skipped"}, {"", "1", "failed"},
	} {
		t.Setenv("CI", c.ci)
		t.Setenv(variable, c.complete)
		r := &recorded{TB: t}
		Missing(r, "no part")
		if r.end != c.want {
			t.Errorf("CI=%q %s=%q: %s, want %s", c.ci, variable, c.complete, r.end, c.want)
		}
	}
}
