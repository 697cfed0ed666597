package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// A visitor in Chromium: the sign-in form, its policy and the redirects as a
// real browser sees them, and what a session's page can do to its neighbours.
// Not beside the others: a browser wants both cores of a small machine.
func TestSignInInTheBrowser(t *testing.T) {
	promised.Env(t, "MEDFORGE_CHROMIUM", "a browser")
	h := miniHost(t, "[session]\nper_user = 2\n")
	h.signUp("ada@example.org")
	laptop := elsewhere{h, t.TempDir()}
	laptop.must(password+"\n", "login", h.main(""), "--email", "ada@example.org")
	var hostile, other api.Session
	h.decode(laptop.must("", "session", "start", "-o", "json"), &hostile)
	h.decode(laptop.must("", "session", "start", "-o", "json"), &other)

	wanted := hostile.URL + "headers?folder=%2Fworkspace"
	cmd := exec.CommandContext(t.Context(), "node", "../browser/signin.mjs", wanted, "ada@example.org", password, other.URL, h.main(""))
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\nthe daemon's log:\n%s", err, errOut.String(), h.log())
	}
	var seen struct {
		SignIn, Mistyped, Page, OtherPage, AfterPlanting string
		Still                                            int
		Refused                                          []string
		Cookies                                          []struct {
			Name, Domain, SameSite string
			HTTPOnly               bool
		}
		Hijack map[string]string
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if !strings.HasPrefix(seen.SignIn, h.main("/signin?return=")) || !strings.Contains(seen.Mistyped, "password is wrong") || len(seen.Refused) > 0 {
		t.Errorf("%s", out)
	}
	for _, ours := range []string{"medforge_session", "medforge_ide", "ticket"} {
		if strings.Contains(seen.Page, ours) {
			t.Errorf("the session saw %q: %s", ours, seen.Page)
		}
	}
	if len(seen.Cookies) != 2 {
		t.Errorf("cookies %+v", seen.Cookies)
	}
	for _, c := range seen.Cookies {
		if !c.HTTPOnly || c.SameSite != "Lax" || strings.HasPrefix(c.Domain, ".") {
			t.Errorf("cookie %+v", c)
		}
	}
	if seen.OtherPage != other.URL || seen.Hijack["ownSocket"] != "open" || seen.Hijack["socket"] != "refused" {
		t.Errorf("WebSockets: %s", out)
	}
	if strings.Contains(laptop.must("", "session", "logs", other.Slug), "hijacked") {
		t.Error("another session's page reached this one")
	}
	if seen.Still != http.StatusOK {
		t.Errorf("a session's page signed its visitor out: %d", seen.Still)
	}
	if seen.AfterPlanting != wanted {
		t.Errorf("planted cookies lead to %s", seen.AfterPlanting)
	}
	for _, s := range []api.Session{hostile, other} {
		laptop.must("", "session", "stop", s.Slug)
	}
}
