package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/auth"
)

// FuzzCookies: whatever a Cookie line looks like, nothing that anybody could
// read as a cookie of ours is left, and what is left is what was there.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{"a=1; medforge_ide=x; b=2", "medforge_session", "=medforge_ide=x", `a="x; medforge_ide=y; z"`,
		"__Host-medforge_session=x", "MEDFORGE_IDE = x", ";;; ;", "a=medforge_ide=x", "\tmedforge_ide=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := cleanCookieLine(line)
		h := http.Header{"Cookie": {got}}
		for _, c := range (&http.Request{Header: h}).Cookies() {
			if auth.OwnCookie(c.Name) {
				t.Fatalf("%q left %q", line, got)
			}
		}
		if cleanCookieLine(got) != got {
			t.Fatalf("%q: %q is not clean", line, got)
		}
		want := 0
		for _, part := range strings.Split(line, ";") {
			part = strings.Trim(part, " \t")
			if part != "" && !strings.Contains(strings.ToLower(part), "medforge") {
				want++
				if !strings.Contains(got, part) {
					t.Fatalf("%q lost %q: %q", line, part, got)
				}
			}
		}
		if want == 0 && !strings.Contains(got, "=") && got != "" && !strings.Contains(strings.ToLower(got), "medforge") {
			t.Fatalf("%q made %q", line, got)
		}
	})
}

// FuzzSetCookie: what passes sets no cookie of ours and names no domain.
func FuzzSetCookie(f *testing.F) {
	for _, s := range []string{"a=b; Path=/", "a=b; Domain=x", "medforge_ide=x", "=medforge_ide", "a=b;DOMAIN=", "a=b; Domain"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !mayset(line) {
			return
		}
		c, err := http.ParseSetCookie(line)
		if err != nil {
			return
		}
		if c.Domain != "" || auth.OwnCookie(c.Name) {
			t.Fatalf("%q passes", line)
		}
	})
}
