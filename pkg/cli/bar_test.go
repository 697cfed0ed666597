package cli

import "testing"

func TestBarText(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{0, 10, "Sending [--------------------]   0 %"},
		{5, 10, "Sending [##########----------]  50 %"},
		{10, 10, "Sending [####################] 100 %"},
		{11, 10, "Sending [####################] 100 %"}, // a file that grew
		{1, 0, "Sending [--------------------]   0 %"},
	} {
		if got := barText("Sending", c.done, c.total); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.total, got, c.want)
		}
	}
}
