package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
)

const cudaprobe = "/usr/local/bin/cudaprobe"

// holdMiB is what the program that stays keeps of the GPU's memory.
const holdMiB = 2048

func decodeChecks(text string) (map[string]api.Check, error) {
	var r api.DoctorReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, err
	}
	checks := map[string]api.Check{}
	for _, c := range r.Checks {
		checks[c.Name] = c
	}
	return checks, nil
}

// computes runs the CUDA program in a session.
func (h *host) computes(s api.Session) (string, error) {
	code, out, err := h.inside(s.Slug).Run(cudaprobe, "run", "256")
	if err != nil || code != 0 {
		return "", fmt.Errorf("exit %d, %v: %s", code, err, out)
	}
	if !strings.Contains(out, "devices=1 ") || !strings.Contains(out, "uuid="+s.GPUUUID) || !strings.Contains(out, "wrong=0") {
		return "", errors.New(out)
	}
	return out, nil
}

// computing is what is seen of a session that uses its GPU.
func (h *host) computing(ctx context.Context, s api.Session) {
	if !h.real("a CUDA kernel runs in the session, its results are right", func() (string, error) { return h.computes(s) }) && !h.rehearse {
		return
	}
	h.real("gpu list shows what the session uses", func() (string, error) { return h.seen(ctx, s) })
	h.check("the event stream carries gpu.sample", func() (string, error) { return h.sampled(ctx, s) })
	h.check("session show shows its GPU", func() (string, error) {
		out, _, err := h.medforge(ctx, "session", "show", s.Slug)
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "GPU use") {
				return line, nil
			}
		}
		return "", errors.Join(err, errors.New("no line GPU use in:\n"+out))
	})
	h.check("/metrics shows its GPU", func() (string, error) { return h.metrics(ctx, s) })
	h.check("medforged restarts, the session keeps its GPU", func() (string, error) {
		h.end(ctx, h.daemon)
		if err := h.daemonUp(ctx); err != nil {
			return "", err
		}
		var again api.Session
		if err := h.ask(ctx, &again, "session", "show", s.Slug); err != nil {
			return "", err
		}
		if again.Status != api.SessionRunning || again.GPUUUID != s.GPUUUID {
			return "", fmt.Errorf("it is %s with %s", again.Status, again.GPUUUID)
		}
		if h.rehearse {
			return "running", nil
		}
		return h.computes(s)
	})
	h.real("a wrong program's Xid ends nothing but the program", func() (string, error) { return h.wrongProgram(ctx, s) })
	h.check("systemctl daemon-reload takes no GPU away", func() (string, error) {
		if _, err := os.Stat("/run/systemd/system"); err != nil {
			return "", cannotRun{"no systemd runs here"}
		}
		if out, err := exec.CommandContext(ctx, "systemctl", "daemon-reload").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		if h.rehearse {
			return "", errRehearsal
		}
		return h.computes(s)
	})
}

// seen starts the program that stays in the session, and waits until gpu list
// shows its memory, its work and its process, as nvidia-smi does.
func (h *host) seen(ctx context.Context, s api.Session) (string, error) {
	if err := h.inside(s.Slug).Spawn(cudaprobe, "hold", fmt.Sprint(holdMiB), "600"); err != nil {
		return "", err
	}
	var g api.GPU
	err := within(ctx, 40*time.Second, func() (err error) {
		if g, err = h.gpu(ctx, s.GPUUUID); err != nil {
			return err
		}
		if g.MemoryUsedBytes < holdMiB<<20 || g.UtilisationPercent == 0 || len(g.Processes) == 0 || g.PowerMilliwatts == 0 || g.TemperatureC == 0 {
			return fmt.Errorf("%+v", g)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if g.Session == nil || *g.Session != s.Slug || g.Status != api.GPUInUse {
		return "", fmt.Errorf("its session is %v, its status %s", g.Session, g.Status)
	}
	for _, p := range g.Processes {
		if !inSession(p.PID, s.Slug) {
			return "", fmt.Errorf("process %d is not in the session", p.PID)
		}
	}
	theirs, err := devices(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(theirs, func(d device) bool { return d.uuid == s.GPUUUID })
	if i < 0 {
		return "", errors.New("nvidia-smi does not list it")
	}
	if used := g.MemoryUsedBytes >> 20; used-theirs[i].usedMiB > 64 || theirs[i].usedMiB-used > 64 {
		return "", fmt.Errorf("%d MiB in use, nvidia-smi says %d", used, theirs[i].usedMiB)
	}
	return fmt.Sprintf("%d MiB (nvidia-smi: %d), %d %%, %d °C, %d W, process %d of the session with %d MiB", g.MemoryUsedBytes>>20, theirs[i].usedMiB,
		g.UtilisationPercent, g.TemperatureC, (g.PowerMilliwatts+500)/1000, g.Processes[0].PID, g.Processes[0].MemoryUsedBytes>>20), nil
}

// sampled waits for a sample in the stream that shows the session.
func (h *host) sampled(ctx context.Context, s api.Session) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := client.New(client.Options{Socket: h.socket()})
	if err != nil {
		return "", err
	}
	defer c.Close()
	stream, err := c.Events(ctx, client.EventOptions{})
	if err != nil {
		return "", err
	}
	defer stream.Close()
	for {
		e, err := stream.Next()
		if err != nil {
			return "", err
		}
		if e.Type != api.EventGPUSample {
			continue
		}
		text, err := json.Marshal(e.Data["gpus"])
		if err != nil {
			return "", err
		}
		var gpus []api.GPU
		if err := json.Unmarshal(text, &gpus); err != nil {
			return "", err
		}
		for _, g := range gpus {
			if g.Session != nil && *g.Session == s.Slug && g.UUID == s.GPUUUID && (h.rehearse || len(g.Processes) > 0) {
				return fmt.Sprintf("GPU %d: %d MiB, %d %%, %d processes", g.Index, g.MemoryUsedBytes>>20, g.UtilisationPercent, len(g.Processes)), nil
			}
		}
	}
}

// wrongProgram has a kernel write where nothing is. The driver reports an Xid
// of the kind that is a program's own mistake: medforged must see it and leave
// the session and the GPU alone.
func (h *host) wrongProgram(ctx context.Context, s api.Session) (string, error) {
	code, out, err := h.inside(s.Slug).Run(cudaprobe, "fault")
	if err != nil || code == 0 || !strings.Contains(out, "ILLEGAL_ADDRESS") {
		return "", fmt.Errorf("exit %d, %v: %s", code, err, out)
	}
	var xid string
	err = within(ctx, 20*time.Second, func() error {
		text, err := os.ReadFile(h.log("medforged"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "reported an Xid") && strings.Contains(line, s.GPUUUID) {
				_, xid, _ = strings.Cut(strings.TrimSpace(line), " xid=")
				return nil
			}
		}
		return errors.New("medforged's log tells of no Xid")
	})
	if err != nil {
		return "", err
	}
	g, err := h.gpu(ctx, s.GPUUUID)
	if err != nil {
		return "", err
	}
	if g.Status != api.GPUInUse || g.Reason != "" {
		return "", fmt.Errorf("Xid %s: it is %s: %s", xid, g.Status, g.Reason)
	}
	seen, err := h.computes(s)
	return "Xid " + xid + " was seen, the session computes on: " + seen, err
}

// metrics wants the page for Prometheus to show the session and its GPU.
func (h *host) metrics(ctx context.Context, s api.Session) (string, error) {
	web := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", h.socket())
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://medforge"+api.PathMetrics, nil)
	if err != nil {
		return "", err
	}
	resp, err := web.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %v: %s", resp.Status, err, text)
	}
	gpu := fmt.Sprintf(`{gpu="%d"`, s.GPUID)
	seen := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), gpu); ok {
			name = strings.TrimPrefix(name, "medforge_gpu_")
			if name == "session" && strings.Contains(rest, `session="`+s.Slug+`"`) {
				seen["session"] = s.Slug
			}
			if value, ok := strings.CutPrefix(rest, "} "); ok {
				seen[name] = value
			}
		}
	}
	var line []string
	for _, name := range []string{"session", "memory_used_bytes", "utilisation_ratio", "temperature_celsius", "power_watts", "processes"} {
		if seen[name] == "" || (!h.rehearse && seen[name] == "0") {
			return "", fmt.Errorf("%s of GPU %d is %q: %v", name, s.GPUID, seen[name], seen)
		}
		line = append(line, name+" "+seen[name])
	}
	return strings.Join(line, ", "), nil
}
