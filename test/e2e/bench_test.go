package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// BenchmarkSessionStart holds `medforge session start --open`, to the first 200
// through the proxy, against `ctr run` of the same image to code-server's own
// first 200, in turns. x/ctr is the ratio of the medians.
func BenchmarkSessionStart(b *testing.B) {
	archive := promised.Pack(b)
	h := newHost(b, "")
	h.must("admin", "pack", "import", archive)
	image := strings.TrimSpace(h.ctr(b, "image", "ls", "-q"))
	image, _, _ = strings.Cut(image, "\n")
	// One of each that is not counted, so that both find a warm cache.
	h.byMedForge(b)
	h.byCtr(b, image, "warm")
	var ours, theirs []time.Duration
	for i := 0; b.Loop(); i++ {
		ours = append(ours, h.byMedForge(b))
		theirs = append(theirs, h.byCtr(b, image, strconv.Itoa(i)))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(ours).Milliseconds()), "ms/start")
	b.ReportMetric(float64(median(theirs).Milliseconds()), "ms/ctr")
	b.ReportMetric(float64(median(ours))/float64(median(theirs)), "x/ctr")
	for stage, took := range h.stages(b) {
		b.ReportMetric(float64(median(took).Milliseconds()), "ms-"+stage)
	}
}

// stages are the durations of every start's stages, as its events say them.
func (h *host) stages(b *testing.B) map[string][]time.Duration {
	b.Helper()
	all := map[string][]time.Duration{}
	for line := range strings.Lines(h.events()) {
		var e struct {
			Type event.Type `json:"event"`
			Data struct {
				Stage      string
				DurationMS int64 `json:"duration_ms"`
			}
		}
		h.decode(line, &e)
		if e.Type == event.SessionStage {
			all[e.Data.Stage] = append(all[e.Data.Stage], time.Duration(e.Data.DurationMS)*time.Millisecond)
		}
	}
	return all
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// byMedForge starts a session, takes the time to the first proxied 200, and
// stops it.
func (h *host) byMedForge(b *testing.B) time.Duration {
	b.Helper()
	begin := time.Now()
	link, err := url.Parse(strings.TrimSpace(h.must("session", "start", "--open", "-q")))
	if err != nil {
		b.Fatal(err)
	}
	name := link.Hostname()
	entered := h.get(name, link.RequestURI())
	if resp := h.get(name, "/healthz", entered.Cookies()...); resp.StatusCode != http.StatusOK {
		b.Fatalf("through the proxy: %d", resp.StatusCode)
	}
	took := time.Since(begin)
	slug, _, _ := strings.Cut(strings.TrimPrefix(name, "s-"), ".")
	h.must("session", "stop", slug)
	return took
}

// byCtr runs the image with containerd's own tool.
func (h *host) byCtr(b *testing.B, image, id string) time.Duration {
	b.Helper()
	dir := filepath.Join(h.dir, "ctr-"+id)
	if err := os.Mkdir(dir, 0o777); err != nil {
		b.Fatal(err)
	}
	if err := os.Chown(dir, 1000, 1000); err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	id = "bench-" + id
	begin := time.Now()
	h.ctr(b, "run", "-d", "--env", "HOME=/tmp", "--mount", "type=bind,src="+dir+",dst=/run/medforge,options=rbind:rw", image, id,
		"/usr/bin/tini", "-g", "--", "code-server", "--auth", "none", "--socket", "/run/medforge/ide.sock",
		"--user-data-dir", "/tmp/data", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", "/tmp")
	defer func() {
		h.ctr(b, "task", "kill", "-s", "SIGKILL", id)
		h.eventually("the end of "+id, func() bool { return !strings.Contains(h.ctr(b, "task", "ls"), "RUNNING") })
		h.ctr(b, "task", "rm", id)
		h.ctr(b, "container", "rm", id)
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, "ide.sock"))
		}}}
	h.eventually("code-server by ctr", func() bool {
		resp, err := client.Get("http://ide/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return time.Since(begin)
}

func (h *host) ctr(b *testing.B, args ...string) string {
	b.Helper()
	out, err := exec.Command("ctr", append([]string{"-a", h.ctrd.Address, "-n", h.ctrd.Namespace}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("ctr %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// BenchmarkDaemonMemory is the daemon's memory with seven sessions: resident
// as the kernel counts it, and proportional, where a page that several
// processes share counts by its share; anonymous is what is the daemon's own.
// What the starts needed is in it until the daemon gives it back.
func BenchmarkDaemonMemory(b *testing.B) {
	h := newHost(b, "[session]\nper_user = 7\n")
	h.importMini()
	for range 7 {
		h.start()
	}
	// The starts' own is given back within a minute.
	kib := h.memory()
	for most, end := kib["Rss"]*9/10, time.Now().Add(90*time.Second); kib["Rss"] > most && time.Now().Before(end); kib = h.memory() {
		time.Sleep(time.Second)
	}
	for b.Loop() {
		kib = h.memory()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(kib["Rss"])/1024, "MiB-resident")
	b.ReportMetric(float64(kib["Pss"])/1024, "MiB-proportional")
	b.ReportMetric(float64(kib["Anonymous"])/1024, "MiB-anonymous")
}

// memory reads the daemon's sums of smaps, in KiB.
func (h *host) memory() map[string]int64 {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", h.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	kib := map[string]int64{}
	for line := range strings.Lines(string(rollup)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		if kib[strings.TrimSuffix(fields[0], ":")], err = strconv.ParseInt(fields[1], 10, 64); err != nil {
			h.t.Fatal(err)
		}
	}
	return kib
}
