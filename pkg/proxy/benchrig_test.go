package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// upstream answers every request without a body with the same bytes, as
// cheaply as can be, so that what is measured is the proxy.
func upstream(b *testing.B, path string, size int) {
	b.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", size))
	answer = append(answer, bytes.Repeat([]byte("x"), size)...)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReaderSize(c, 4<<10)
				for {
					for {
						line, err := br.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) <= 2 {
							break
						}
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// load asks n times over 32 connections and returns requests a second.
func load(b *testing.B, network, addr, request string, n int) float64 {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	start := time.Now()
	for range conns {
		wg.Go(func() {
			c, err := net.Dial(network, addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			br := bufio.NewReaderSize(c, 16<<10)
			for left.Add(-1) >= 0 {
				if _, err := io.WriteString(c, request); err != nil {
					b.Error(err)
					return
				}
				if err := skipAnswer(br); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

func skipAnswer(br *bufio.Reader) error {
	size, first := -1, true
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("answer %q", line)
		}
		first = false
		if len(line) <= 2 {
			break
		}
		if len(line) > 16 && bytes.EqualFold(line[:16], []byte("Content-Length: ")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return err
			}
		}
	}
	if size < 0 {
		return fmt.Errorf("an answer without a length")
	}
	_, err := io.CopyN(io.Discard, br, int64(size))
	return err
}

// nginx starts Debian's nginx in front of the upstream, asking auth before
// every request, and returns its address.
func nginx(b *testing.B, upstream, auth string) (addr string, pid int) {
	b.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	dir := b.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	os.WriteFile(conf, []byte(fmt.Sprintf(`daemon off; user root; pid %[1]s/pid; error_log %[1]s/error.log; worker_processes %[2]d; worker_rlimit_nofile 20000;
events { worker_connections 8192; }
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream ide { server unix:%[3]s; keepalive 64; }
  upstream auth { server unix:%[4]s; keepalive 64; }
  keepalive_requests 100000000;
  server { listen %[5]s;
    location / { auth_request /auth; proxy_pass http://ide; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }
    location = /auth { internal; proxy_pass http://auth; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
    location /ws { auth_request /auth; proxy_pass http://ide; proxy_http_version 1.1; proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $http_host; }
  }
}`, dir, runtime.GOMAXPROCS(0), upstream, auth, addr)), 0o600)
	cmd := exec.Command(bin, "-p", dir, "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, cmd.Process.Pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("nginx does not listen")
	return "", 0
}

// forwardAuth is the cheapest auth server there can be: one that always agrees.
func forwardAuth(b *testing.B, path string) { upstream(b, path, 0) }

// served is the proxy in a process of its own, as nginx is.
type served struct {
	dir, addr, host, cookie string
	pid                     int
}

// startOurs runs TestServeForBenchmarks in another process.
func startOurs(b *testing.B) served {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeForBenchmarks$", "-test.v")
	cmd.Env = append(os.Environ(), "MEDFORGE_BENCH_SERVE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f := strings.Split(lines.Text(), "\t"); len(f) == 5 && f[0] == "serving" {
			go io.Copy(io.Discard, out)
			return served{dir: f[1], addr: f[2], host: f[3], cookie: f[4], pid: cmd.Process.Pid}
		}
	}
	b.Fatal("the other process does not serve")
	return served{}
}

// TestServeForBenchmarks serves until its standard input ends.
func TestServeForBenchmarks(t *testing.T) {
	if os.Getenv("MEDFORGE_BENCH_SERVE") == "" {
		t.Skip("only for the benchmarks")
	}
	r := open(t)
	if f := os.Getenv("MEDFORGE_BENCH_PROFILE"); f != "" {
		w, err := os.Create(f)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		pprof.StartCPUProfile(w)
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("\nserving\t%s\t%s\t%s\t%s\n", r.dir, r.addr, r.host(slugB), r.enter(r.bob.Actor, slugB))
	io.Copy(io.Discard, os.Stdin)
}

// cpuTime is what the process and its children have used so far; 0 for pid 0.
func cpuTime(pid int) (sum time.Duration) {
	if pid == 0 {
		return 0
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		// pid (comm) state ppid ... utime and stime are fields 14 and 15, in
		// hundredths of a second.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		own := strings.HasPrefix(string(b), strconv.Itoa(pid)+" ")
		if !own && f[1] != strconv.Itoa(pid) {
			continue
		}
		for _, ticks := range f[11:13] {
			n, _ := strconv.Atoi(ticks)
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}
