package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

func TestForwardAuthIsForTrustedProxies(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	cookies := h.cookies(t, h.alice, httpapitest.Alice.ID)
	ask := func(handler http.Handler, header ...string) *http.Response {
		return do(t, handler, "GET", forwardAuth, "", append(header, cookies...)...)
	}
	resp := ask(h.public(), "X-Forwarded-Host", h.sessionHost)
	if resp.StatusCode != 200 || resp.Header.Get("X-Upstream") != "127.0.0.1:8080" || len(read(t, resp)) != 0 {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for _, host := range []string{h.sessionHost + ":443", strings.ToUpper(h.sessionHost), h.sessionHost + "."} {
		if resp := ask(h.public(), "X-Forwarded-Host", host); resp.StatusCode != 200 {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
	}
	for _, host := range []string{
		"s-zzzzzzzz.medforge.example.org", "medforge.example.org", "evil.example", h.sessionHost + ".evil.example",
		"x" + h.sessionHost, "[::1]", h.sessionHost + ", evil.example", h.sessionHost + "@evil.example", "../" + h.sessionHost,
	} {
		resp := ask(h.public(), "X-Forwarded-Host", host)
		if resp.StatusCode != 404 {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
		if resp.Header.Get("X-Upstream") != "" {
			t.Errorf("%s has an upstream", host)
		}
	}
	wantProblem(t, ask(h.public()), 403, api.CodeProxyNotTrusted)
	stranger := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "203.0.113.7:1"
		h.public().ServeHTTP(w, r)
	})
	wantProblem(t, ask(stranger, "X-Forwarded-Host", h.sessionHost), 403, api.CodeProxyNotTrusted)
	// Through the session's own host never, whoever asks and however.
	for _, path := range []string{forwardAuth, forwardAuth + "/", "/API/v1/auth/session-proxy", "/api/v1//auth/./session-proxy", "/api/v1/auth/x/../session-proxy", "/api/v1/auth/session%2Dproxy"} {
		resp := do(t, h.public(), "GET", path, "", append([]string{"Host", h.sessionHost, "X-Forwarded-Host", h.sessionHost}, cookies...)...)
		if resp.StatusCode != 403 || resp.Header.Get("X-Upstream") != "" {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// The socket's peers may ask for any session's host: a front on this host.
func TestForwardAuthOnTheSocket(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	client := overSocket(t, h.Host)
	for _, c := range []struct {
		cookie string
		want   int
	}{{h.cookies(t, h.alice, httpapitest.Alice.ID)[1], 200}, {"", 401}} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://medforge"+forwardAuth, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-Host", h.sessionHost)
		req.Header.Set("Cookie", c.cookie)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%d, want %d", resp.StatusCode, c.want)
		}
	}
}
