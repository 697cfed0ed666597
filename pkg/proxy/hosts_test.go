package proxy_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/proxy"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	h := proxy.Hosts{Domain: "example.org"}
	for host, want := range map[string]string{
		"medforge.example.org":                       "1 ",
		"MedForge.Example.ORG":                       "1 ",
		"medforge.example.org.":                      "1 ",
		"medforge.example.org:8080":                  "1 ",
		"medforge.example.org.:8080":                 "1 ",
		"api.medforge.example.org":                   "2 ",
		"s-abcdefgh.medforge.example.org":            "3 abcdefgh",
		"S-ABCDEF27.medforge.example.org:1":          "3 abcdef27",
		"":                                           "0 ",
		"example.org":                                "0 ",
		"localhost":                                  "0 ",
		"127.0.0.1:8080":                             "0 ",
		"[::1]:8080":                                 "0 ",
		"[medforge.example.org]":                     "0 ",
		"medforge.example.org..":                     "0 ",
		".medforge.example.org":                      "0 ",
		"xmedforge.example.org":                      "0 ",
		"medforge.example.org.evil":                  "0 ",
		"medforge.example.orgx":                      "0 ",
		"evil.medforge.example.org":                  "0 ",
		"medforge.example.org:":                      "0 ",
		"medforge.example.org:80:80":                 "0 ",
		"medforge.example.org:http":                  "0 ",
		"medforge.example.org:999999":                "0 ",
		"medforge.example.org@evil":                  "0 ",
		"user@medforge.example.org":                  "0 ",
		"medforge.example.org/":                      "0 ",
		"s-abcdefg.medforge.example.org":             "0 ",
		"s-abcdefghi.medforge.example.org":           "0 ",
		"s-abcdefg1.medforge.example.org":            "0 ",
		"s-abcdefg_.medforge.example.org":            "0 ",
		"s-s-abcdefgh.medforge.example.org":          "0 ",
		"x.s-abcdefgh.medforge.example.org":          "0 ",
		"s-abcdefgh.api.medforge.example.org":        "0 ",
		"s-abcdefgh.medforge.example.org.other.org":  "0 ",
		"s-ſbcdefgh.medforge.example.org":            "0 ", // folds to s
		"s-abcdefgh\x00.medforge.example.org":        "0 ",
		" medforge.example.org":                      "0 ",
		strings.Repeat("a", 10000) + ".example.org":  "0 ",
		strings.Repeat("a.", 10000) + "example.org.": "0 ",
	} {
		kind, slug := h.Parse(host)
		if got := fmt.Sprintf("%d %s", kind, slug); got != want {
			t.Errorf("%.60q: %q, want %q", host, got, want)
		}
	}
	if kind, _ := (proxy.Hosts{}).Parse("medforge."); kind != proxy.Unknown {
		t.Error("a proxy without a domain serves something")
	}
}

func FuzzHosts(f *testing.F) {
	h := proxy.Hosts{Domain: "example.org", Secure: true}
	for _, s := range []string{"medforge.example.org", "s-abcdefgh.medforge.example.org:443", "S-ABCDEFGH.MEDFORGE.EXAMPLE.ORG.", "[::1]:80", "api.medforge.example.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		kind, slug := h.Parse(host)
		name := host
		if i := strings.IndexByte(name, ':'); i >= 0 {
			name = name[:i]
		}
		name = strings.TrimSuffix(name, ".")
		want := map[proxy.Kind]string{proxy.Main: "medforge.example.org", proxy.API: "api.medforge.example.org",
			proxy.Session: "s-" + slug + ".medforge.example.org"}[kind]
		if kind != proxy.Unknown && !strings.EqualFold(name, want) {
			t.Fatalf("%q was taken for %q", host, want)
		}
		if (kind == proxy.Session) != (len(slug) == 8) || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Fatalf("%q: kind %d with slug %q", host, kind, slug)
		}
	})
}

func FuzzReturnTarget(f *testing.F) {
	h := proxy.Hosts{Domain: "example.org", Secure: true}
	for _, s := range []string{"https://s-abcdefgh.medforge.example.org/a?b", "https://evil", "//evil", "https://s-abcdefgh.medforge.example.org//evil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		slug, path, ok := h.ReturnTarget(raw)
		if !ok {
			return
		}
		for _, to := range []string{h.SessionOrigin(slug) + path, path} {
			base, _ := url.Parse(h.SessionOrigin(slug) + "/.medforge/arrived")
			u, err := base.Parse(to)
			if err != nil || u.Scheme != "https" || u.Host != "s-"+slug+".medforge.example.org" {
				t.Fatalf("%q leads to %q", raw, to)
			}
		}
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t ") {
			t.Fatalf("%q gave the path %q", raw, path)
		}
	})
}
