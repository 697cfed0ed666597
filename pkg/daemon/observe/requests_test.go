package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/session"
)

type rig struct {
	log     bytes.Buffer
	metrics *Metrics
	server  *httptest.Server
	busy    sync.WaitGroup // requests; a server's Close does not wait for WebSockets
}

func open(t *testing.T, which string, next http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{metrics: NewMetrics("1.2.3", slog.New(slog.DiscardHandler))}
	q := &Requests{Logger: slog.New(slog.NewJSONHandler(&r.log, nil)), Log: which, Metrics: r.metrics,
		Client: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }}
	handler := q.Handler("public", next)
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.busy.Add(1)
		defer r.busy.Done()
		handler.ServeHTTP(w, req)
	}))
	t.Cleanup(r.server.Close)
	return r
}

// lines closes the server, so that all is written, and returns what was logged.
func (r *rig) lines(t *testing.T) (all []map[string]any) {
	t.Helper()
	r.server.Close()
	r.busy.Wait()
	for line := range bytes.Lines(r.log.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, m)
	}
	return all
}

func (r *rig) scrape(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestLinesHoldNoSecret: who asked for what and what came of it, and nothing
// that opens anything.
func TestLinesHoldNoSecret(t *testing.T) {
	t.Parallel()
	r := open(t, LogOwn, func(w http.ResponseWriter, q *http.Request) {
		w.(interface {
			NoteRequest(route, userID, via string)
		}).NoteRequest("GET /api/v1/me", "u-1", "cookie")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short")
	})
	q, err := http.NewRequest("GET", r.server.URL+"/.medforge/enter?ticket=hunter2&to=/hunter2", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer hunter2")
	q.Header.Set("Cookie", "__Host-medforge_session=hunter2")
	q.Header.Set("Referer", "https://medforge.example.test/signin?return=hunter2")
	q.Header.Set("User-Agent", "a browser\nlevel=ERROR "+strings.Repeat("x", 2000))
	res, err := http.DefaultClient.Do(q)
	if err == nil {
		res.Body.Close()
		t.Fatal("net/http sent a line end in a header")
	}
	q.Header.Set("User-Agent", strings.Repeat("x", 2000))
	if res, err = http.DefaultClient.Do(q); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	lines := r.lines(t)
	if len(lines) != 1 || strings.Contains(r.log.String(), "hunter2") {
		t.Fatalf("%s", r.log.String())
	}
	l := lines[0]
	for name, want := range map[string]any{"msg": "request", "level": "INFO", "listener": "public", "method": "GET", "path": "/.medforge/enter",
		"route": "GET /api/v1/me", "status": 418.0, "bytes": 5.0, "client": "192.0.2.7", "user_id": "u-1", "via": "cookie",
		"request_id": res.Header.Get("X-Request-Id"), "agent": strings.Repeat("x", maxLogged) + "..."} {
		if l[name] != want {
			t.Errorf("%s is %v, not %v", name, l[name], want)
		}
	}
}

func TestWhichAreLogged(t *testing.T) {
	t.Parallel()
	for which, want := range map[string]int{LogNone: 0, LogOwn: 1, LogAll: 2} {
		r := open(t, which, func(w http.ResponseWriter, q *http.Request) {
			w.(interface {
				NoteRequest(route, userID, via string)
			}).NoteRequest(q.URL.Path[1:], "", "")
		})
		for _, route := range []string{"ide", "page"} {
			res, err := http.Get(r.server.URL + "/" + route)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		if got := len(r.lines(t)); got != want {
			t.Errorf("%s: %d lines, not %d", which, got, want)
		}
	}
}

// TestStrangersMakeNoSeries: whatever is asked, there are as many time series as
// before.
func TestStrangersMakeNoSeries(t *testing.T) {
	t.Parallel()
	r := open(t, LogNone, func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Ide") != "" {
			w.(interface {
				NoteRequest(route, userID, via string)
			}).NoteRequest("ide", "", "")
			w.WriteHeader(200 + rand.IntN(700))
		}
	})
	ask := func(n int) {
		for i := range n {
			q := httptest.NewRequest(fmt.Sprintf("M%d", rand.Int()), fmt.Sprintf("/%d", rand.Int()), nil)
			q.Host = fmt.Sprintf("h%d.example", rand.Int())
			if i%2 == 0 {
				q.Header.Set("Ide", "1")
			}
			r.server.Config.Handler.ServeHTTP(httptest.NewRecorder(), q)
		}
	}
	ask(2000)
	before := strings.Count(r.scrape(t), "medforge_http")
	ask(2000)
	if after := strings.Count(r.scrape(t), "medforge_http"); after != before || after > 60 {
		t.Errorf("%d lines became %d", before, after)
	}
}

func TestWebSocketsAreCounted(t *testing.T) {
	t.Parallel()
	var r *rig
	var during string
	r = open(t, LogOwn, func(w http.ResponseWriter, q *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		during = r.scrape(t)
		c.Close()
	})
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	io.Copy(io.Discard, c)
	if lines := r.lines(t); len(lines) != 1 || lines[0]["status"] != 101.0 {
		t.Errorf("%v", lines)
	}
	if !strings.Contains(during, `medforge_websockets_open{listener="public"} 1`) {
		t.Error("an open one is not counted")
	}
	after := r.scrape(t)
	if !strings.Contains(after, `medforge_websockets_open{listener="public"} 0`) || !strings.Contains(after, `status="101"} 1`) {
		t.Error("an ended one is counted, or its request is not")
	}
	if strings.Contains(after, "request_duration_seconds_count") {
		t.Error("a WebSocket's life is taken for a request's")
	}
}

// TestState: what Prometheus gets of the daemon, in the form that Prometheus
// recommends.
func TestState(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2.3", slog.New(slog.DiscardHandler))
	broken := false
	m.Watch(State{
		Sessions: func(context.Context) ([]session.Session, error) {
			return []session.Session{{Status: session.Running}, {Status: session.Running}, {Status: session.Stopping}}, nil
		},
		Sample: func(context.Context) (session.Sample, error) {
			if broken {
				return session.Sample{}, fmt.Errorf("NVML does not answer")
			}
			return session.Sample{At: time.Unix(1000, 0), GPUs: []session.GPUView{
				{GPU: session.GPU{Index: 0, UUID: "GPU-0", Name: "H100", MemoryTotalBytes: 80 << 30, MemoryUsedBytes: 1 << 30,
					UtilisationPct: 50, TemperatureC: 41, PowerMilliwatts: 123500, Processes: []session.GPUProcess{{PID: 7}, {PID: 8}}}, SessionSlug: "abcd2345"},
				{GPU: session.GPU{Index: 1, UUID: "GPU-1", Name: "H100", Fault: "lost"}},
			}}, nil
		},
		Queue:    func(context.Context) (int, error) { return 3, nil },
		Degraded: func() []session.Degradation { return []session.Degradation{{Part: "containerd"}} },
		NotAfter: func() time.Time { return time.Unix(2000, 0) },
	})
	m.Event(event.Event{Type: event.Scored})
	m.Event(event.Event{Type: event.Scored, Data: map[string]any{"error": "broken"}})
	r := &rig{metrics: m}
	got := r.scrape(t)
	for _, want := range []string{
		`medforge_sessions{state="running"} 2`, `medforge_sessions{state="starting"} 0`, `medforge_sessions{state="stopping"} 1`,
		`medforge_gpu_info{gpu="0",name="H100",uuid="GPU-0"} 1`, `medforge_gpu_status{gpu="0",status="in_use"} 1`,
		`medforge_gpu_status{gpu="1",status="faulty"} 1`, `medforge_gpu_status{gpu="1",status="free"} 0`,
		`medforge_gpu_utilisation_ratio{gpu="0"} 0.5`, `medforge_gpu_power_watts{gpu="0"} 123.5`, `medforge_gpu_temperature_celsius{gpu="0"} 41`,
		`medforge_gpu_processes{gpu="0"} 2`, `medforge_gpu_session{gpu="0",session="abcd2345"} 1`,
		`medforge_submissions_queued 3`, `medforge_submissions_scored_total{outcome="scored"} 1`, `medforge_submissions_scored_total{outcome="failed"} 1`,
		`medforge_degraded{part="containerd"} 1`, `medforge_tls_certificate_not_after_seconds 2000`, `medforge_scrape_failed{source="gpus"} 0`,
		`medforge_build_info{go="go`, `version="1.2.3"} 1`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(got, `medforge_gpu_power_watts{gpu="1"}`) {
		t.Error("a device that cannot be read has readings")
	}
	problems, err := promlint.New(strings.NewReader(got)).Lint()
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if err != nil {
		t.Error(err)
	}
	broken = true
	if got := r.scrape(t); !strings.Contains(got, `medforge_scrape_failed{source="gpus"} 1`) || !strings.Contains(got, "medforge_submissions_queued 3") {
		t.Error("one source that fails takes the others along, or is not said")
	}
}
