package account_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"a@b": true, "a.b+c@sub.example.org": true, "x@127.0.0.1": true,
		"": false, "a": false, "@b": false, "a@": false, "a b@c.d": false, "a@b..c": false, "a@-b": false, "ä@b.c": false,
		"a@b.c\n": true, "a\n@b.c": false, "<a@b.c>": false, "\"a\"@b.c": false, strings.Repeat("a", 251) + "@b.c": false,
	} {
		if _, err := account.NormalEmail(s); (err == nil) != ok {
			t.Errorf("NormalEmail(%q): %v", s, err)
		}
	}
	for s, ok := range map[string]bool{
		"Ada": true, " Ada Lovelace ": true, "Åsa 李": true, strings.Repeat("李", 64): true,
		"": false, "  ": false, "a\nb": false, "a\x00": false, "a\u202eb": false, "a\u200bb": false, "\xff": false, strings.Repeat("a", 65): false,
	} {
		if _, err := account.CleanName(s); (err == nil) != ok {
			t.Errorf("CleanName(%q): %v", s, err)
		}
	}
}

func TestBadStoredHash(t *testing.T) {
	t.Parallel()
	b := base64.RawStdEncoding.EncodeToString(make([]byte, 32))
	good := "$argon2id$v=19$m=8,t=1,p=1$" + b + "$" + b
	if err := account.ParsePHC(good); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "x", "$2b$10$abc", strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "m=8", "m=99999999", 1), good + "$", good[:len(good)-1] + "*"} {
		if account.ParsePHC(s) == nil {
			t.Errorf("%q was read", s)
		}
	}
}

func FuzzSecret(f *testing.F) {
	f.Add(strings.Repeat("A", 43))
	f.Add("")
	f.Add(strings.Repeat("A", 42) + "B") // same bytes, another spelling
	f.Add("AAAA\nAAAA" + strings.Repeat("A", 34))
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := account.HashSecret(s); !ok {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(raw) != 32 || base64.RawURLEncoding.EncodeToString(raw) != s {
			t.Fatalf("%q was taken for a secret", s)
		}
	})
}

func TestSignInCookie(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	in := h.signUp(t, "ada@example.org")
	c := in.Cookie(true, h.clock.now().Add(time.Hour))
	if c.Name != "__Host-medforge_session" || !c.Secure || !c.HttpOnly || c.Domain != "" || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != (30*24-1)*3600 {
		t.Errorf("%+v", c)
	}
	if c = account.NoCookie(false); c.Name != "medforge_session" || c.Secure || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("%+v", c)
	}
}
