package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
)

// ws opens a WebSocket through the proxy with these header lines.
func ws(t testing.TB, r *rig, slug string, lines ...string) *websocket.Conn {
	t.Helper()
	h := http.Header{}
	for _, l := range lines {
		k, v, _ := strings.Cut(l, ": ")
		h.Add(k, v)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", r.addr)
	}}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+r.host(slug)+"/ws", &websocket.DialOptions{HTTPClient: client, HTTPHeader: h})
	if err != nil {
		t.Fatalf("WebSocket: %v", err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func (r *rig) visit(t testing.TB, a auth.Actor, slug string) *websocket.Conn {
	t.Helper()
	return ws(t, r, slug, r.enter(a, slug), "Origin: http://"+r.host(slug))
}

func say(t testing.TB, c *websocket.Conn, b []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	wrote := make(chan error, 1)
	go func() { wrote <- c.Write(ctx, websocket.MessageBinary, b) }()
	_, got, err := c.Read(ctx)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d bytes came back of %d: %v", len(got), len(b), err)
	}
	// All came back, and yet Write may not have returned: to end its context then
	// ends the connection.
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	r := open(t)
	c := r.visit(t, r.ada.Actor, slugA)
	for _, n := range []int{1, 100, 4 << 10, 100 << 10, 3 << 20} {
		say(t, c, bytes.Repeat([]byte{'x'}, n))
	}
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("closing handshake: %v", err)
	}
	// An IDE that declines: its answer comes through.
	res := r.get(r.host(slugA), "/not-a-websocket", r.enter(r.ada.Actor, slugA), "Origin: http://"+r.host(slugA),
		"Connection: Upgrade", "Upgrade: websocket")
	if res.StatusCode != 200 || text(res) != "ide GET /not-a-websocket " {
		t.Errorf("%d %+v", res.StatusCode, res.Header)
	}
}

// losses are the ways to lose the right to ada's open WebSocket.
var losses = map[string]func(*rig) error{
	"signed out": func(r *rig) error { return r.accounts.SignOut(context.Background(), r.ada.Actor) },
	"signed out everywhere": func(r *rig) error {
		elsewhere := r.ada.Actor
		elsewhere.CredentialID = "of another browser"
		_, err := r.accounts.EndOtherBrowsers(context.Background(), elsewhere)
		return err
	},
	"account disabled": func(r *rig) error {
		yes := true
		_, _, err := r.accounts.SetUser(context.Background(), r.admin, r.ada.User.ID, account.UserChange{Disabled: &yes})
		return err
	},
	"session stopped": func(r *rig) error { r.sessions.stop(slugA); return nil },
	"daemon stops":    func(r *rig) error { return r.proxy.Close(context.Background()) },
}

// TestWebSocketsEnd: each way to lose the right to an open WebSocket ends it.
func TestWebSocketsEnd(t *testing.T) {
	t.Parallel()
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_ = ended(t, open(t), lose)
		})
	}
}

// ended opens a WebSocket, takes the right to it away, and returns how long it
// then went on.
func ended(t testing.TB, r *rig, lose func(*rig) error) time.Duration {
	t.Helper()
	c := r.visit(t, r.ada.Actor, slugA)
	say(t, c, []byte("hello"))
	began := time.Now()
	if err := lose(r); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("it goes on: %v", err)
	}
	return time.Since(began)
}

// BenchmarkWebSocketEnds tells how long an open WebSocket goes on after the right
// to it was lost, the call that took it included: at most a second is wanted.
func BenchmarkWebSocketEnds(b *testing.B) {
	for name, lose := range losses {
		b.Run(name, func(b *testing.B) {
			var longest time.Duration
			for b.Loop() {
				b.StopTimer()
				r := open(b)
				b.StartTimer()
				longest = max(longest, ended(b, r, lose))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
		})
	}
}

// TestWebSocketOfOneVisitorOnly: ending one's does not end another's.
func TestWebSocketOfOneVisitorOnly(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada, admin := r.visit(t, r.ada.Actor, slugA), r.visit(t, r.admin, slugA)
	if err := r.accounts.SignOut(t.Context(), r.ada.Actor); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ada.Read(t.Context()); err == nil {
		t.Error("ada's goes on")
	}
	say(t, admin, []byte("still here"))
}

// TestWebSocketBytesAtTheSeam: what comes in one packet with either side's
// head is not lost.
func TestWebSocketBytesAtTheSeam(t *testing.T) {
	t.Parallel()
	u := &ide{handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSet-Cookie: medforge_ide=x\r\n\r\nearly")
		b := make([]byte, 4)
		io.ReadFull(rw, b)
		c.Write(b)
	})}
	r := open(t)
	r.serveIDE(slugB, u)
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: "+r.host(slugB)+"\r\n"+r.enter(r.bob.Actor, slugB)+"\r\nOrigin: http://"+r.host(slugB)+
		"\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nlate")
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(got), "\r\n\r\nearlylate") || strings.Contains(string(got), "Set-Cookie") {
		t.Fatalf("%q %v", got, err)
	}
}
