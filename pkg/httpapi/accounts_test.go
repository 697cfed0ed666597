package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

const cookieName = "__Host-medforge_session"

// wantCookie is the sign-in cookie of an answer, as API.md has it.
func wantCookie(t *testing.T, r *http.Response) string {
	t.Helper()
	c := r.Cookies()
	if len(c) != 1 {
		t.Fatalf("%d cookies: %v", len(c), r.Header["Set-Cookie"])
	}
	if c[0].Name != cookieName || c[0].Domain != "" || c[0].Path != "/" || !c[0].HttpOnly || !c[0].Secure ||
		c[0].SameSite != http.SameSiteLaxMode || c[0].MaxAge < 29*86400 || len(c[0].Value) != 43 {
		t.Errorf("cookie %v", r.Header["Set-Cookie"])
	}
	return cookieName + "=" + c[0].Value
}

func wantForgotten(t *testing.T, r *http.Response) {
	t.Helper()
	if c := r.Cookies(); len(c) != 1 || c[0].Name != cookieName || c[0].Value != "" || c[0].MaxAge >= 0 {
		t.Errorf("the cookie is not expired: %v", r.Header["Set-Cookie"])
	}
}

func TestSignUpSignInSignOut(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	resp := do(t, pub, "POST", "/api/v1/auth/signup", `{"email":"Dora@Example.org","password":"correct horse"}`)
	if resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp))
	}
	cookie := wantCookie(t, resp)
	got := data[map[string]any](t, resp)
	if len(got) != 3 || got["email"] != "dora@example.org" || got["role"] != "user" || got["user_id"] == "" {
		t.Errorf("%v", got)
	}
	me := data[api.Me](t, do(t, pub, "GET", "/api/v1/me", "", "Cookie", cookie))
	if me.Email != "dora@example.org" || me.Via != "cookie" || me.Name != "dora" {
		t.Errorf("%+v", me)
	}
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/signup", `{"email":"dora@example.org","password":"another one"}`), 409, "accounts/email-taken")
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"short"}`), 422, api.CodeInvalidRequest)
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"`+strings.Repeat("x", 129)+`"}`), 422, api.CodeInvalidRequest)
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"long enough","role":"admin"}`), 422, api.CodeInvalidRequest)

	if m := data[api.Message](t, do(t, pub, "POST", "/api/v1/auth/logout", "", "Cookie", cookie)); m.Message != "Signed out." {
		t.Errorf("%+v", m)
	}
	resp = do(t, pub, "GET", "/api/v1/me", "", "Cookie", cookie)
	wantForgotten(t, resp)
	wantProblem(t, resp, 401, api.CodeSignInExpired)
	wantForgotten(t, do(t, pub, "POST", "/api/v1/auth/logout", "", "Cookie", cookie)) // again is no error

	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/login", `{"email":"dora@example.org","password":"wrong"}`), 401, "auth/bad-credentials")
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/login", `{"email":"nobody@example.org","password":"wrong"}`), 401, "auth/bad-credentials")
	resp = do(t, pub, "POST", "/api/v1/auth/login", `{"email":"dora@example.org","password":"correct horse"}`, "Cookie", cookie)
	if again := wantCookie(t, resp); again == cookie || resp.StatusCode != 200 {
		t.Errorf("%d, the same cookie: %v", resp.StatusCode, again == cookie)
	}
}

func TestSignUpByConfiguration(t *testing.T) {
	t.Parallel()
	closed := start(t, httpapitest.Options{SignUp: account.SignUpClosed})
	wantProblem(t, do(t, closed.API.Public(), "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"correct horse"}`), 403, "accounts/signup-closed")
	invite := start(t, httpapitest.Options{SignUp: account.SignUpInvite})
	wantProblem(t, do(t, invite.API.Public(), "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"correct horse"}`), 403, "accounts/bad-invite")
	resp := do(t, invite.API.Public(), "POST", "/api/v1/auth/signup", `{"email":"x@example.org","password":"correct horse","invitation":"twelve-letters"}`)
	if resp.StatusCode != 201 {
		t.Errorf("%d %s", resp.StatusCode, read(t, resp))
	}
}

// Guesses are counted by the visitor's address; X-Forwarded-For of somebody who
// is no proxy of ours changes nothing.
func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	var resp *http.Response
	for i := range 6 {
		resp = do(t, pub, "POST", "/api/v1/auth/login", `{"email":"alice@example.org","password":"wrong"}`,
			"X-Forwarded-For", "203.0.113."+strconv.Itoa(i))
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || s < 1 || s > 120 {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
	wantProblem(t, resp, 429, "auth/too-many-attempts")
	// The owner, from elsewhere, still comes in.
	r := httptest.NewRequest("POST", "/api/v1/auth/login", strings.NewReader(`{"email":"alice@example.org","password":"correct horse"}`))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "198.51.100.9:1"
	w := httptest.NewRecorder()
	if pub.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("the owner: %d %s", w.Code, w.Body)
	}
}

// A cookie that opens nothing is nobody's where nobody may come, and is expired
// everywhere; of good and stale ones the good one counts.
func TestStaleCookies(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	stale := cookieName + "=" + strings.Repeat("A", 43)
	resp := do(t, pub, "GET", "/healthz", "", "Cookie", stale)
	if wantForgotten(t, resp); resp.StatusCode != 200 {
		t.Errorf("a public route: %d", resp.StatusCode)
	}
	resp = do(t, pub, "GET", "/api/v1/me", "", "Cookie", stale)
	wantForgotten(t, resp)
	wantProblem(t, resp, 401, api.CodeSignInExpired)
	resp = do(t, pub, "GET", "/nowhere", "", "Cookie", stale)
	wantForgotten(t, resp)
	wantProblem(t, resp, 404, api.CodeUnknownPath)
	resp = do(t, pub, "POST", "/api/v1/auth/login", `{"email":"alice@example.org","password":"correct horse"}`, "Cookie", stale)
	good := wantCookie(t, resp) // and nothing that takes it away again
	resp = do(t, pub, "GET", "/api/v1/me", "", "Cookie", stale+"; "+good)
	if resp.StatusCode != 200 || len(resp.Cookies()) != 0 {
		t.Errorf("stale and good: %d %v", resp.StatusCode, resp.Header["Set-Cookie"])
	}
	// By the name that any host of the domain could set, it is not looked at.
	wantProblem(t, do(t, pub, "GET", "/api/v1/me", "", "Cookie", strings.TrimPrefix(good, "__Host-")), 401, api.CodeNotSignedIn)
}

func TestTokensAreShownOnce(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	cookie := cookieName + "=" + h.SignIn(t, httpapitest.Alice).Secret
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	resp := do(t, pub, "POST", "/api/v1/me/tokens", `{"label":"ci","expires_at":"`+expires.Format(time.RFC3339)+`"}`, "Cookie", cookie)
	if resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp))
	}
	made := data[api.TokenCreated](t, resp)
	if !strings.HasPrefix(made.Secret, "mf_") || made.Token.ExpiresAt == nil || made.Token.ExpiresAt.Sub(expires).Abs() > time.Second || made.Token.LastUsed != nil {
		t.Errorf("%+v", made.Token)
	}
	bearer := []string{"Authorization", "Bearer " + made.Secret}
	if me := data[api.Me](t, do(t, pub, "GET", "/api/v1/me", "", bearer...)); me.Via != "token" || me.UserID != httpapitest.Alice.ID {
		t.Errorf("%+v", me)
	}
	listed := string(read(t, do(t, pub, "GET", "/api/v1/me/tokens", "", "Cookie", cookie)))
	if !strings.Contains(listed, made.Token.ID) || strings.Contains(listed, strings.TrimPrefix(made.Secret, "mf_")) || strings.Contains(listed, "hash") {
		t.Errorf("list: %s", listed)
	}
	for _, body := range []string{`{"label":""}`, `{"label":"x","expires_at":"2020-01-01T00:00:00Z"}`, `{"label":"x","expires_at":"soon"}`, `{}`} {
		if resp := do(t, pub, "POST", "/api/v1/me/tokens", body, "Cookie", cookie); resp.StatusCode != 422 {
			t.Errorf("%s: %d", body, resp.StatusCode)
		}
	}
	// A browser's id is no token's.
	b := data[[]api.Browser](t, do(t, pub, "GET", "/api/v1/me/sessions", "", "Cookie", cookie))
	wantProblem(t, do(t, pub, "DELETE", "/api/v1/me/tokens/"+b[0].ID, "", "Cookie", cookie), 404, "auth/credential-not-found")
	if m := data[api.Message](t, do(t, pub, "DELETE", "/api/v1/me/tokens/"+made.Token.ID, "", "Cookie", cookie)); m.Message == "" {
		t.Error("no message")
	}
	wantProblem(t, do(t, pub, "GET", "/api/v1/me", "", bearer...), 401, "auth/bad-token")
}

func TestBrowsersAreListedAndSignedOut(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	cookie := func() string { return cookieName + "=" + h.SignIn(t, httpapitest.Alice).Secret }
	here, there, elsewhere := cookie(), cookie(), cookie()
	b := data[[]api.Browser](t, do(t, pub, "GET", "/api/v1/me/sessions", "", "Cookie", here))
	current := 0
	for _, one := range b {
		if one.Agent != "test" || one.ExpiresAt == nil || one.SessionID != nil {
			t.Errorf("%+v", one)
		}
		if one.Current {
			current++
		} else if current < 2 && there != "" {
			resp := do(t, pub, "DELETE", "/api/v1/me/sessions/"+one.ID, "", "Cookie", here)
			if resp.StatusCode != 200 || len(resp.Cookies()) != 0 {
				t.Errorf("%d %v", resp.StatusCode, resp.Header["Set-Cookie"])
			}
			there = ""
		}
	}
	if len(b) != 3 || current != 1 {
		t.Errorf("%d browsers, %d of them this one", len(b), current)
	}
	if resp := do(t, pub, "DELETE", "/api/v1/me/sessions", "", "Cookie", here); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp := do(t, pub, "GET", "/api/v1/me", "", "Cookie", here); resp.StatusCode != 200 {
		t.Errorf("this one is signed out too: %d", resp.StatusCode)
	}
	wantProblem(t, do(t, pub, "GET", "/api/v1/me", "", "Cookie", elsewhere), 401, api.CodeSignInExpired)
}

func TestChangingThePassword(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	pub := h.API.Public()
	here, there := cookieName+"="+h.SignIn(t, httpapitest.Alice).Secret, cookieName+"="+h.SignIn(t, httpapitest.Alice).Secret
	wantProblem(t, do(t, pub, "POST", "/api/v1/me/password", `{"current":"wrong","new":"battery staple"}`, "Cookie", here), 403, "auth/wrong-password")
	wantProblem(t, do(t, pub, "POST", "/api/v1/me/password", `{"new":"battery staple"}`, "Cookie", here), 403, "auth/wrong-password")
	p := wantProblem(t, do(t, pub, "POST", "/api/v1/me/password", `{"current":"correct horse","new":"short"}`, "Cookie", here), 422, api.CodeInvalidRequest)
	if len(p.Errors) != 1 || p.Errors[0].Loc != "body.new" {
		t.Errorf("%+v", p.Errors)
	}
	if resp := do(t, pub, "POST", "/api/v1/me/password", `{"current":"correct horse","new":"battery staple"}`, "Cookie", here); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp))
	}
	if resp := do(t, pub, "GET", "/api/v1/me", "", "Cookie", here); resp.StatusCode != 200 {
		t.Errorf("this browser: %d", resp.StatusCode)
	}
	wantProblem(t, do(t, pub, "GET", "/api/v1/me", "", "Cookie", there), 401, api.CodeSignInExpired)
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/login", `{"email":"alice@example.org","password":"correct horse"}`), 401, "auth/bad-credentials")
}

func TestAdminsMakeAndChangeAccounts(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{SignUp: account.SignUpClosed})
	pub := h.API.Public()
	root := []string{"Authorization", "Bearer " + h.Token(t, httpapitest.Admin)}
	resp := do(t, pub, "POST", "/api/v1/admin/users", `{"email":"dora@example.org","session_limit":3,"role":"admin"}`, root...)
	made := data[api.UserChanged](t, resp)
	if resp.StatusCode != 201 || made.User.Role != "admin" || made.User.SessionLimit != 3 || len(made.Password) < 20 {
		t.Errorf("%d %+v", resp.StatusCode, made)
	}
	login := `{"email":"dora@example.org","password":"` + made.Password + `"}`
	dora := wantCookie(t, do(t, pub, "POST", "/api/v1/auth/login", login))
	if resp := do(t, pub, "GET", "/api/v1/admin/packs", "", "Cookie", dora); resp.StatusCode != 200 {
		t.Errorf("as an admin: %d", resp.StatusCode)
	}
	path := "/api/v1/admin/users/" + made.User.UserID
	// Unix user and web account become one.
	wantProblem(t, do(t, pub, "PATCH", path, `{"unix_name":"alice"}`, root...), 409, "accounts/unix-name-taken")
	got := data[api.UserChanged](t, do(t, pub, "PATCH", path, `{"unix_name":"alice","move_unix_name":true,"role":"user"}`, root...))
	if got.User.UnixName != "alice" || got.User.Role != "user" || got.Password != "" {
		t.Errorf("%+v", got)
	}
	if a, err := h.Accounts.UnixUser(t.Context(), 1001); err != nil || a.UserID != made.User.UserID {
		t.Errorf("on the socket alice is %+v, %v", a, err)
	}
	// No longer an admin, so signed out; then disabled, and by no way in.
	wantProblem(t, do(t, pub, "GET", "/api/v1/me", "", "Cookie", dora), 401, api.CodeSignInExpired)
	if resp := do(t, pub, "PATCH", "/api/v1/admin/users/dora@example.org", `{"disabled":true}`, root...); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	wantProblem(t, do(t, pub, "POST", "/api/v1/auth/login", login), 403, "auth/account-disabled")
	if _, err := h.Accounts.UnixUser(t.Context(), 1001); err == nil {
		t.Error("a disabled account comes in by the socket")
	}
	wantProblem(t, do(t, pub, "GET", "/api/v1/admin/users/nobody", "", root...), 404, "accounts/user-not-found")
	wantProblem(t, do(t, pub, "PATCH", "/api/v1/admin/users/root", `{"disabled":true}`, root...), 409, "accounts/root")
	wantProblem(t, do(t, pub, "POST", "/api/v1/admin/users", `{}`, root...), 422, "accounts/invalid-account")
	wantProblem(t, do(t, pub, "POST", "/api/v1/admin/users", `{"email":"bob@example.org"}`, root...), 409, "accounts/email-taken")

	var names []string
	for path := "/api/v1/admin/users?limit=2"; path != ""; {
		var page api.Page[api.User]
		raw := read(t, do(t, pub, "GET", path, "", root...))
		if err := json.Unmarshal(raw, &page); err != nil || strings.Contains(string(raw), "assword") {
			t.Fatalf("%v: %s", err, raw)
		}
		for _, u := range page.Data {
			names = append(names, u.Name)
		}
		if path = ""; page.Meta.HasMore {
			path = "/api/v1/admin/users?limit=2&cursor=" + *page.Meta.NextCursor
		}
	}
	if got := strings.Join(names, " "); got != "root Alice Bob dora" {
		t.Errorf("accounts %s", got)
	}
}

// A stream does not outlive the sign-in that opened it.
func TestAStreamEndsWithItsSignIn(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	in := h.SignIn(t, httpapitest.Alice)
	srv := httptest.NewServer(h.API.Public())
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookieName+"="+in.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := h.Accounts.SignOut(ctx, in.Actor); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil { // ends, and before the deadline
		t.Errorf("the stream: %v", err)
	}
}

// Whoever sits in a session of a disabled account may do nothing there.
func TestADisabledAccountsSession(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	in := h.API.Session(httpapitest.ActorOf(httpapitest.Bob), "the-session")
	if resp := do(t, in, "GET", "/api/v1/me", ""); resp.StatusCode != 200 {
		t.Fatalf("%d", resp.StatusCode)
	}
	disabled := true
	if _, _, err := h.Accounts.SetUser(t.Context(), httpapitest.ActorOf(httpapitest.Admin), httpapitest.Bob.ID, account.UserChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, do(t, in, "GET", "/api/v1/me", ""), 403, "auth/account-disabled")
}
