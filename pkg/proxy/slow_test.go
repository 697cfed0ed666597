package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestASlowIDE: answers that are longer in coming than the proxy's patience
// with them come all the same, and a visitor who goes away meanwhile is noticed.
func TestASlowIDE(t *testing.T) {
	t.Parallel()
	asked, gone := make(chan struct{}), make(chan context.Context, 1)
	u := &ide{handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/slow":
			select {
			case <-time.After(500 * time.Millisecond): // it is a slow one
			case <-q.Context().Done():
				return
			}
			io.WriteString(w, "at last")
		case "/halves":
			w.Header().Set("Content-Length", "8")
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			time.Sleep(500 * time.Millisecond)
			io.WriteString(w, "half")
		case "/never":
			asked <- struct{}{}
			<-q.Context().Done()
			gone <- q.Context()
		default:
			io.WriteString(w, "quick")
		}
	})}
	r := open(t)
	r.serveIDE(slugB, u)
	bob := r.enter(r.bob.Actor, slugB)
	for range 2 { // the second time over a connection that was used before
		for path, want := range map[string]string{"/": "quick", "/slow": "at last", "/halves": "halfhalf"} {
			if res := r.get(r.host(slugB), path, bob); res.StatusCode != 200 || text(res) != want {
				t.Errorf("%s: %d", path, res.StatusCode)
			}
		}
	}
	for _, lines := range []string{"", "Connection: close\r\n"} { // quickly, and by net/http
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET /never HTTP/1.1\r\nHost: "+r.host(slugB)+"\r\n"+lines+bob+"\r\n\r\n")
		<-asked
		c.Close()
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			t.Errorf("%q: the IDE is still asked although its visitor has gone", lines)
		}
	}
}
