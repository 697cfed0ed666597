package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const conns = 32

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkProxying compares, in one run, authorised requests for 1 KiB through
// us, through nginx with auth_request, and straight to the IDE's socket.
func BenchmarkProxying(b *testing.B) {
	compare(b, 1<<10, 20000)
}

// BenchmarkDownload does the same with answers of 200 MB.
func BenchmarkDownload(b *testing.B) {
	compare(b, 200<<20, 8)
}

func compare(b *testing.B, size, n int) {
	ours := startOurs(b)
	socket, authSocket := filepath.Join(ours.dir, slugB), filepath.Join(ours.dir, "auth")
	upstream(b, socket, size)
	forwardAuth(b, authSocket)
	theirs, pid := nginx(b, socket, authSocket)
	request := "GET /x HTTP/1.1\r\nHost: " + ours.host + "\r\nAccept: */*\r\nUser-Agent: bench\r\n" + ours.cookie + "\r\n\r\n"
	rates := map[string][]float64{}
	cpu := map[string]time.Duration{}
	once := func(name, network, addr string, pid int) {
		before := cpuTime(pid)
		rates[name] = append(rates[name], load(b, network, addr, request, n))
		cpu[name] += cpuTime(pid) - before
	}
	for b.Loop() {
		for range 5 {
			once("direct", "unix", socket, 0)
			once("nginx", "tcp", theirs, pid)
			once("ours", "tcp", ours.addr, ours.pid)
		}
	}
	total := float64(n * len(rates["ours"]))
	b.ReportMetric(median(rates["ours"]), "ours/s")
	b.ReportMetric(median(rates["nginx"]), "nginx/s")
	b.ReportMetric(median(rates["direct"]), "direct/s")
	b.ReportMetric(median(rates["ours"])/median(rates["nginx"]), "ours/nginx")
	b.ReportMetric(float64(cpu["ours"].Microseconds())/total, "ours-cpu-µs")
	b.ReportMetric(float64(cpu["nginx"].Microseconds())/total, "nginx-cpu-µs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCheck is the gate alone.
func BenchmarkCheck(b *testing.B) {
	r := open(b)
	h := http.Header{}
	k, v, _ := strings.Cut(r.enter(r.ada.Actor, slugA), ": ")
	h.Set(k, v)
	host := r.host(slugA)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.proxy.Check(host, h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWebSocketEcho compares the median round trip with a direct one.
func BenchmarkWebSocketEcho(b *testing.B) {
	r := open(b)
	upstreamEcho(b, filepath.Join(r.dir, slugB))
	line := r.enter(r.bob.Actor, slugB)
	through := rawWebSocket(b, "tcp", r.addr, r.host(slugB), line)
	direct := rawWebSocket(b, "unix", filepath.Join(r.dir, slugB), r.host(slugB), line)
	var ours, theirs []float64
	msg, buf := []byte("ping: a terminal's key stroke"), make([]byte, 64)
	trip := func(c net.Conn) float64 {
		start := time.Now()
		c.Write(msg)
		if _, err := io.ReadFull(c, buf[:len(msg)]); err != nil {
			b.Fatal(err)
		}
		return float64(time.Since(start).Nanoseconds()) / 1e3
	}
	for b.Loop() {
		for range 2000 {
			theirs, ours = append(theirs, trip(direct)), append(ours, trip(through))
		}
	}
	b.ReportMetric(median(ours), "µs-ours")
	b.ReportMetric(median(theirs), "µs-direct")
	b.ReportMetric(median(ours)-1.2*median(theirs), "µs-above-1.2x") // at most 50
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIdleWebSockets reports what one of 2,000 silent WebSockets costs
// this process: the proxy's share and the kernel's are not told apart, the
// test's own two ends (which hold no buffers) are in it.
func BenchmarkIdleWebSockets(b *testing.B) {
	const n = 2000
	r := open(b)
	upstreamEcho(b, filepath.Join(r.dir, slugB))
	line := r.enter(r.bob.Actor, slugB)
	for b.Loop() {
		before := resident()
		var open []net.Conn
		for range n {
			open = append(open, rawWebSocket(b, "tcp", r.addr, r.host(slugB), line))
		}
		after := resident()
		b.ReportMetric(float64(after-before)/n/1e3, "kB/websocket")
		for _, c := range open {
			c.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
}

// resident is this process's memory in bytes, after a collection.
func resident() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func upstreamEcho(b *testing.B, path string) {
	b.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		go func() {
			defer c.Close()
			buf := make([]byte, 64)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				c.Write(buf[:n])
			}
		}()
	})}
	go srv.Serve(l)
	b.Cleanup(func() { srv.Close() })
}

func rawWebSocket(b *testing.B, network, addr, host, cookie string) net.Conn {
	b.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), network, addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: "+host+"\r\n"+cookie+"\r\nOrigin: http://"+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	head := make([]byte, 0, 512)
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(c, one); err != nil {
			b.Fatalf("%v after %q", err, head)
		}
		head = append(head, one...)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
		b.Fatalf("%q", head)
	}
	return c
}
