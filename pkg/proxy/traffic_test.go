package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

func TestSplitByHost(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada := r.enter(r.ada.Actor, slugA)
	for host, want := range map[string]string{
		r.mainHost():                          "200 medforge itself: /x",
		"MEDFORGE." + domain + ".":            "200 medforge itself: /x",
		"api.medforge." + domain:              "200 medforge itself: /x",
		r.host(slugA):                         "200 ide GET /x ",
		strings.ToUpper(r.host(slugA)):        "200 ide GET /x ",
		"s-" + slugA + ".medforge." + domain:  "200 ide GET /x ",
		"127.0.0.1:" + r.port:                 "421",
		"[::1]:" + r.port:                     "421",
		"localhost":                           "421",
		r.host(slugA) + ".evil.example":       "421",
		"evil." + r.host(slugA):               "421",
		"s-" + slugA + "." + domain:           "421",
		"s-" + slugA + ".medforge.evil.test":  "421",
		"s-" + slugA + "x.medforge." + domain: "421",
	} {
		res := r.get(host, "/x", ada)
		got := fmt.Sprint(res.StatusCode)
		if res.StatusCode == 200 {
			got += " " + text(res)
		} else {
			// The members that every failure of the API has; pkg/daemon gives
			// requests their ids.
			body := text(res)
			for _, member := range []string{"/problems/request/unknown-host\"", `"title":"Unknown host"`, `"status":421`, `"detail":"the host name`,
				`"instance":"/x"`, `"code":"request/unknown-host"`, `"request_id":"`, `"kind":"misdirected"`} {
				if !strings.Contains(body, member) || res.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: no %s in %s (%v)", host, member, body, res.Header)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if res := r.raw("GET / HTTP/1.0\r\n\r\n"); res.StatusCode != 421 {
		t.Errorf("without a host: %d", res.StatusCode)
	}
}

func TestOddRequests(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada := r.enter(r.ada.Actor, slugA)
	host, me := "Host: "+r.host(slugA)+"\r\n", "Host: "+r.host(slugA)+"\r\n"+ada+"\r\nConnection: close\r\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"absolute form":                   {"GET http://" + r.host(slugA) + "/x HTTP/1.1\r\n" + me + "\r\n", 200},
		"absolute form of another":        {"GET http://evil.example/x HTTP/1.1\r\n" + me + "\r\n", 421},
		"absolute form against Host":      {"GET http://" + r.mainHost() + "/x HTTP/1.1\r\n" + me + "\r\n", 200}, // MedForge's, not the IDE's
		"CONNECT":                         {"CONNECT " + r.host(slugA) + " HTTP/1.1\r\n" + me + "\r\n", 400},
		"OPTIONS *":                       {"OPTIONS * HTTP/1.1\r\n" + me + "\r\n", 200}, // net/http's own, without a body
		"two hosts":                       {"GET / HTTP/1.1\r\n" + host + me + "\r\n", 400},
		"space in host":                   {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		"length and chunked":              {"POST /x HTTP/1.1\r\n" + me + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
		"two lengths":                     {"POST /x HTTP/1.1\r\n" + me + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
		"odd encoding":                    {"POST /x HTTP/1.1\r\n" + me + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"folded header":                   {"GET /x HTTP/1.1\r\n" + me + "X-A: b\r\n c\r\n\r\n", 200},
		"space before colon":              {"GET /x HTTP/1.1\r\n" + me + "Cookie : a\r\n\r\n", 400},
		"line end in a header":            {"GET /x HTTP/1.1\r\n" + me + "X-A: b\rc\r\n\r\n", 400},
		"zero byte":                       {"GET /x HTTP/1.1\r\n" + me + "X-A: b\x00c\r\n\r\n", 400},
		"huge headers":                    {"GET /x HTTP/1.1\r\n" + me + "X-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", 431},
		"h2c":                             {"GET /x HTTP/1.1\r\nHost: " + r.host(slugA) + "\r\n" + ada + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200},
		"the forward-auth route":          {"GET /api/v1/auth/session-proxy HTTP/1.1\r\n" + me + "\r\n", 403},
		"the same, double slashes":        {"GET //api//v1/auth/session-proxy HTTP/1.1\r\n" + me + "\r\n", 403},
		"the same, dots":                  {"GET /x/../api/v1/./auth/session-proxy/ HTTP/1.1\r\n" + me + "\r\n", 403},
		"the same, encoded":               {"GET /api/v1/auth%2Fsession%2Dproxy HTTP/1.1\r\n" + me + "\r\n", 403},
		"the same, in capitals":           {"GET /API/v1/auth/session-proxy HTTP/1.1\r\n" + me + "\r\n", 403},
		"the same, absolute":              {"GET http://" + r.host(slugA) + "/api/v1/auth/session-proxy HTTP/1.1\r\n" + me + "\r\n", 403},
		"MedForge's API is not here":      {"GET /api/v1/me HTTP/1.1\r\n" + me + "\r\n", 200}, // the IDE's answer
		"our prefix, encoded":             {"GET /%2emedforge/x HTTP/1.1\r\n" + me + "\r\n", 404},
		"the ticket's path with a POST":   {"POST /.medforge/enter HTTP/1.1\r\n" + me + "Content-Length: 0\r\n\r\n", 404},
		"a path that only begins like it": {"GET /.medforgery HTTP/1.1\r\n" + me + "\r\n", 200},
	} {
		res := r.raw(c.text)
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
		// The same on a connection that stays, and as the second on one.
		kept := strings.ReplaceAll(c.text, "Connection: close\r\n", "")
		if res := r.raw(kept); res.StatusCode != c.want {
			t.Errorf("%s, kept alive: %d, want %d", name, res.StatusCode, c.want)
		}
		if res := r.second("GET /first HTTP/1.1\r\n"+host+ada+"\r\n\r\n", kept); res.StatusCode != c.want {
			t.Errorf("%s, second: %d, want %d", name, res.StatusCode, c.want)
		}
		if body := text(res); name == "MedForge's API is not here" && !strings.HasPrefix(body, "ide GET") {
			t.Errorf("%s: %q", name, body)
		}
	}
	seen := r.ide.all()
	for _, never := range []string{"session-proxy", "h2c", "Http2-Settings", "evil.example", "http://"} {
		if strings.Contains(strings.ToLower(seen), strings.ToLower(never)) {
			t.Errorf("the IDE saw %q", never)
		}
	}
	// A request hidden in another's body does not become one.
	r.raw("POST /x HTTP/1.1\r\n" + me + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n")
	if strings.Contains(r.ide.all(), "/hidden") {
		t.Error("smuggled")
	}
}

// TestNothingOfOursReachesTheIDE: a hostile session records what an admin's
// browser and tools send.
func TestNothingOfOursReachesTheIDE(t *testing.T) {
	t.Parallel()
	r := open(t)
	token, _, err := r.accounts.CreateToken(t.Context(), r.admin, "t", 0)
	if err != nil {
		t.Fatal(err)
	}
	admin := r.secret(r.admin, slugA)
	other := r.secret(r.bob.Actor, slugB)
	browser := r.ada.Secret
	res := r.get(r.host(slugA), "/first",
		"Cookie: a=1; medforge_ide="+admin+"; b=\"x; medforge_session="+browser+"; y\"; __Host-medforge_session="+browser,
		"Cookie: MEDFORGE_IDE="+other+"; __host-MedForge_x="+other+"; medforge_session ="+browser+"; ="+"medforge_ide="+other+"; medforge"+"; c=2",
		"Cookie: medforge_ide="+other,
		"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "X_Forwarded_Proto: evil", "X-Forwarded-User: root", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Medforge-Actor: root",
		"Proxy-Authorization: Bearer "+token, "Connection: X-Secret", "X-Secret: hop", "Keep-Alive: 5", "TE: gzip",
	)
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, text(res))
	}
	for _, a := range []string{"Bearer " + token, "bearer   " + token, "Token " + token, token} {
		if res := r.get(r.host(slugA), "/second", "Authorization: "+a, "Authorization: Basic eDp5"); res.StatusCode != 200 {
			t.Fatalf("%q: %d", a, res.StatusCode)
		}
	}
	ws(t, r, slugA, "Cookie: medforge_session="+browser+"; medforge_ide="+admin+"; d=3", "Authorization: Basic eDp5", "X-Forwarded-User: root",
		"Origin: http://"+r.host(slugA)).CloseNow()
	seen := r.ide.all()
	for name, never := range map[string]string{"a cookie's name": "medforge_", "the IDE cookie": admin, "another's": other, "the sign-in": browser,
		"the token": token, "a forged address": "6.6.6.6", "evil": "evil", "X-Forwarded-User": "root", "hop by hop": "hop", "Keep-Alive": "Keep-Alive"} {
		if strings.Contains(strings.ToLower(seen), strings.ToLower(never)) {
			t.Errorf("the IDE saw %s: %s", name, seen)
		}
	}
	for _, want := range []string{"a=1", "c=2", "Cookie: d=3", "Authorization: Basic eDp5", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http\r\n",
		"X-Forwarded-Host: " + r.host(slugA), "Host: " + r.host(slugA)} {
		if !strings.Contains(seen, want) {
			t.Errorf("the IDE did not see %q: %s", want, seen)
		}
	}
}

func TestWhatAnIDECannotDoToItsVisitor(t *testing.T) {
	t.Parallel()
	u := &ide{handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"own=1; Path=/; HttpOnly", "a=b; Domain=" + domain, "a=b;domain = ." + domain, "a=b; Path=/; DOMAIN", "medforge_session=x", "Medforge_ide=x; Path=/x",
			"__Host-medforge_session=x; Secure; Path=/", "=medforge_ide=x", "medforge_ide", " medforge_x =1", "own2=medforge_ide"}
		h.Set("Clear-Site-Data", `"cookies"`)
		h.Set("Alt-Svc", `h3=":4433"`)
		h.Set("Content-Security-Policy", "default-src 'self'")
		if q.URL.Path == "/hints" {
			w.WriteHeader(103)
		}
		w.WriteHeader(200)
	})}
	r := open(t)
	r.serveIDE(slugB, u)
	bob := r.enter(r.bob.Actor, slugB)
	for _, path := range []string{"/", "/hints"} {
		res := r.get(r.host(slugB), path, bob)
		if res.StatusCode != 200 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		if got := strings.Join(res.Header["Set-Cookie"], " | "); got != "own=1; Path=/; HttpOnly | own2=medforge_ide" {
			t.Errorf("%s: Set-Cookie %s", path, got)
		}
		if res.Header.Get("Clear-Site-Data")+res.Header.Get("Alt-Svc") != "" {
			t.Errorf("%s: %+v", path, res.Header)
		}
		if got := res.Header["Content-Security-Policy"]; len(got) != 2 || got[1] != "frame-ancestors 'self'" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestOtherSitesPages(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada := r.enter(r.ada.Actor, slugA)
	own := "Origin: http://" + r.host(slugA)
	token, _, _ := r.accounts.CreateToken(t.Context(), r.ada.Actor, "t", 0)
	for name, c := range map[string]struct {
		method string
		lines  []string
		want   int
	}{
		"own page posts":               {"POST", []string{own, "Sec-Fetch-Site: same-origin"}, 200},
		"own page posts, old browser":  {"POST", []string{own}, 200},
		"a tool posts":                 {"POST", nil, 200},
		"another session posts":        {"POST", []string{"Origin: http://" + r.host(slugB), "Sec-Fetch-Site: same-site"}, 403},
		"the same, old browser":        {"POST", []string{"Origin: http://" + r.host(slugB)}, 403},
		"MedForge's page posts":        {"POST", []string{"Origin: http://" + r.mainHost()}, 403},
		"another scheme":               {"POST", []string{"Origin: https://" + r.host(slugA)}, 403},
		"another port":                 {"POST", []string{"Origin: http://s-" + slugA + ".medforge." + domain + ":1"}, 403},
		"null":                         {"POST", []string{"Origin: null"}, 403},
		"a stranger deletes":           {"DELETE", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		"another session links":        {"GET", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		"another session frames":       {"GET", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		"another session fetches":      {"GET", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
		"typed by a person":            {"GET", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		"own page frames (a web view)": {"GET", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 200},
	} {
		res := r.do(c.method, r.host(slugA), "/", append(c.lines, ada)...)
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
	}
	shake := func(lines ...string) int {
		return r.get(r.host(slugA), "/ws", append(lines, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")...).StatusCode
	}
	for name, c := range map[string]struct {
		lines []string
		want  int
	}{
		"own page":            {[]string{ada, own}, 101},
		"no origin":           {[]string{ada}, 403},
		"two origins":         {[]string{ada, own, "Origin: http://evil.example"}, 403},
		"another session":     {[]string{ada, "Origin: http://" + r.host(slugB)}, 403},
		"MedForge's page":     {[]string{ada, "Origin: http://" + r.mainHost()}, 403},
		"our name as prefix":  {[]string{ada, own + ".evil.example"}, 403},
		"null":                {[]string{ada, "Origin: null"}, 403},
		"a tool with a token": {[]string{"Authorization: Bearer " + token}, 101},
		"signed out":          {[]string{own}, 401},
	} {
		if got := shake(c.lines...); got != c.want {
			t.Errorf("WebSocket, %s: %d, want %d", name, got, c.want)
		}
	}
}

func TestBodiesAndStreams(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	more := make(chan struct{})
	u := &ide{handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/stream":
			for {
				if _, err := w.Write([]byte("tick\n")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-more:
				case <-q.Context().Done():
					return
				}
			}
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		default:
			b, _ := io.ReadAll(q.Body)
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			w.Write(b)
		}
	})}
	r := open(t)
	r.serveIDE(slugB, u)
	secret := r.secret(r.bob.Actor, slugB)
	do := func(path string, body io.Reader) *http.Response {
		t.Helper()
		q, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.addr+path, body)
		q.Host = r.host(slugB)
		q.AddCookie(&http.Cookie{Name: auth.IDECookie(false), Value: secret})
		res, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	for _, body := range []io.Reader{bytes.NewReader(big), io.MultiReader(bytes.NewReader(big))} { // with a length, chunked
		res := do("/", body)
		if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%d bytes came back: %v", len(got), err)
		}
	}
	res := do("/trailer", nil)
	if io.Copy(io.Discard, res.Body); res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("trailer %+v", res.Trailer)
	}
	// What the IDE sends is seen at once, and ends when the right to it does.
	res = do("/stream", nil)
	buf := make([]byte, 5)
	for i := range 3 {
		if i > 0 {
			more <- struct{}{}
		}
		if _, err := io.ReadFull(res.Body, buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.accounts.EndSessionHost(t.Context(), "id-"+slugB); err != nil {
		t.Fatal(err)
	}
	// It waited in silence; what comes now is nobody's.
	more <- struct{}{}
	if n, err := io.ReadFull(res.Body, buf); err == nil {
		t.Errorf("%q came after its visitor was signed out", buf[:n])
	}
}

func TestADeadIDE(t *testing.T) {
	t.Parallel()
	u := &ide{handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		switch q.URL.Path {
		case "/garbage":
			io.WriteString(c, "\x00\x01\x02 not http\r\n\r\n")
		case "/headers":
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 100 {
				if _, err := io.WriteString(c, "X-A: "+strings.Repeat("a", 64<<10)+"\r\n"); err != nil {
					return
				}
			}
		case "/switch":
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
			io.Copy(io.Discard, rw)
		}
	})}
	r := open(t)
	r.serveIDE(slugB, u)
	bob := r.enter(r.bob.Actor, slugB)
	own := "Origin: http://" + r.host(slugB)
	for _, path := range []string{"/close", "/garbage", "/headers", "/switch"} {
		if res := r.get(r.host(slugB), path, bob); res.StatusCode != 502 || !strings.Contains(text(res), "sessions/ide-not-answering") {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		if res := r.get(r.host(slugB), path, bob, own, "Connection: Upgrade", "Upgrade: websocket"); res.StatusCode != 502 {
			t.Errorf("WebSocket %s: %d", path, res.StatusCode)
		}
	}
}

func TestASlugsNextSessionGetsItsOwnConnections(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada := r.enter(r.ada.Actor, slugA)
	// Perhaps not at once: the visitor can have a slow answer before the
	// connection that it came by is free again.
	watch.Until(t, "a connection is used again", func() bool {
		before := r.dialled()
		return r.get(r.host(slugA), "/", ada).StatusCode == 200 && r.dialled() == before
	})
	before := r.dialled()
	r.sessions.stop(slugA)
	r.sessions.run(slugA, r.ada.User.ID)
	r.sessions.set(slugA, func(v *proxy.View) { v.ID = "id-another" })
	if res := r.get(r.host(slugA), "/", ada); res.StatusCode != 401 {
		t.Errorf("the cookie of the session before: %d", res.StatusCode)
	}
	ada = r.enter(r.ada.Actor, slugA)
	if res := r.get(r.host(slugA), "/", ada); res.StatusCode != 200 || r.dialled() != before+1 {
		t.Errorf("%d, %d new connections", res.StatusCode, r.dialled()-before)
	}
}
