package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// exitLimit is medforge's exit code for a limit or a conflict.
const exitLimit = 5

func (h *host) stop(ctx context.Context, slug string) error {
	_, _, err := h.medforge(ctx, "session", "stop", slug)
	return err
}

// stopping disables the GPU of a session, stops the session, and looks at what
// it left.
func (h *host) stopping(ctx context.Context, s api.Session) {
	index := fmt.Sprint(s.GPUID)
	h.check("admin gpu disable leaves the session running", func() (string, error) {
		if _, _, err := h.medforge(ctx, "admin", "gpu", "disable", index); err != nil {
			return "", err
		}
		g, err := h.gpu(ctx, s.GPUUUID)
		if err != nil || g.Status != api.GPUInUse || !strings.Contains(g.Reason, "disabled") {
			return "", fmt.Errorf("%s: %s %v", g.Status, g.Reason, err)
		}
		return string(g.Status) + ": " + g.Reason, nil
	})
	h.check("the session stops", func() (string, error) {
		began := time.Now()
		if err := h.stop(ctx, s.Slug); err != nil {
			return "", err
		}
		return fmt.Sprintf("in %d ms", time.Since(began).Milliseconds()), nil
	})
	h.check("a disabled GPU takes no new session", func() (string, error) { return h.refused(ctx, s.GPUUUID, api.GPUDisabled) })
	h.check("after the stop its GPU is clean and free", func() (string, error) {
		if _, _, err := h.medforge(ctx, "admin", "gpu", "enable", index); err != nil {
			return "", err
		}
		g, err := h.gpu(ctx, s.GPUUUID)
		if err != nil {
			return "", err
		}
		if g.Status != api.GPUFree || len(g.Processes) > 0 {
			return "", fmt.Errorf("%+v", g)
		}
		return fmt.Sprintf("%s, no process, %d MiB in use", g.Status, g.MemoryUsedBytes>>20), nil
	})
}

// refused wants a GPU to stand in a state in which nobody gets it.
func (h *host) refused(ctx context.Context, uuid string, want api.GPUStatus) (string, error) {
	g, err := h.gpu(ctx, uuid)
	if err != nil {
		return "", err
	}
	if g.Status != want {
		return "", fmt.Errorf("it is %s, not %s: %s", g.Status, want, g.Reason)
	}
	out, code, err := h.medforge(ctx, "session", "start", "-o", "json")
	if err == nil { // another GPU was free
		var s api.Session
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return "", err
		}
		if s.GPUUUID == uuid {
			return "", errors.New("a session got it")
		}
		return "the session that was started got another GPU", h.stop(ctx, s.Slug)
	}
	if code != exitLimit {
		return "", err
	}
	return strings.TrimPrefix(err.Error(), "medforge session start -o json: "), nil
}

// quarantine leaves a process behind on a GPU, on purpose: after a session,
// then before one.
func (h *host) quarantine(ctx context.Context) {
	if h.rehearse {
		for _, name := range []string{"a process left behind puts the GPU in quarantine", "admin gpu enable ends the quarantine", "a GPU in use by a stranger is not given"} {
			h.real(name, nil)
		}
		return
	}
	h.check("an operator's CDI spec comes before medforged's own", func() (string, error) { return h.operatorSpec(ctx) })
	s, ok := h.started(ctx, "another session starts")
	if !ok {
		return
	}
	stranger, err := h.leave(ctx, s.GPUUUID)
	if !h.check("a program on the host takes memory of its GPU", func() (string, error) {
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("process %d", stranger.cmd.Process.Pid), nil
	}) {
		return
	}
	h.check("a process left behind puts the GPU in quarantine", func() (string, error) {
		if err := h.stop(ctx, s.Slug); err != nil {
			return "", err
		}
		return h.quarantined(ctx, s.GPUUUID, stranger, "After session "+s.Slug)
	})
	h.check("a quarantined GPU takes no new session", func() (string, error) { return h.refused(ctx, s.GPUUUID, api.GPUQuarantined) })
	h.end(ctx, stranger)
	h.check("admin gpu enable ends the quarantine", func() (string, error) { return h.enabled(ctx, s.GPUUUID, s.GPUID) })
	h.check("a GPU in use by a stranger is not given", func() (string, error) { return h.stranger(ctx, s.GPUUUID, s.GPUID) })
	if again, ok := h.started(ctx, "afterwards a session starts on it"); ok {
		h.check("and computes", func() (string, error) {
			seen, err := h.computes(again)
			return seen, errors.Join(err, h.stop(ctx, again.Slug))
		})
	}
}

// leave starts the CUDA program on the host and waits until NVML sees it.
func (h *host) leave(ctx context.Context, uuid string) (*program, error) {
	cmd := exec.Command(filepath.Join(h.parts, "bin", "cudaprobe"), "hold", "512", "600")
	cmd.Env = append(withCUDA(h.environment()), "CUDA_VISIBLE_DEVICES="+uuid)
	log, err := os.OpenFile(h.log("stranger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{name: "stranger", cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log says why it ended
		close(p.exited)
	}()
	h.procs = append(h.procs, p)
	return p, within(ctx, 40*time.Second, func() error {
		g, err := h.gpu(ctx, uuid)
		if err != nil {
			return err
		}
		for _, q := range g.Processes {
			if q.PID == cmd.Process.Pid {
				return nil
			}
		}
		return fmt.Errorf("gpu list shows %+v and not process %d; it says: %s", g.Processes, cmd.Process.Pid, h.tail("stranger"))
	})
}

// quarantined wants gpu list, the doctor and the events to say why.
func (h *host) quarantined(ctx context.Context, uuid string, stranger *program, begins string) (string, error) {
	g, err := h.gpu(ctx, uuid)
	if err != nil {
		return "", err
	}
	who := fmt.Sprintf("process %d", stranger.cmd.Process.Pid)
	if g.Status != api.GPUQuarantined || !strings.HasPrefix(g.Reason, begins) || !strings.Contains(g.Reason, who) {
		return "", fmt.Errorf("it is %s: %s", g.Status, g.Reason)
	}
	checks, err := h.doctor(ctx)
	if err != nil {
		return "", err
	}
	if c := checks["gpus"]; c.Status != api.CheckFail || !strings.Contains(c.Detail, who) {
		return "", fmt.Errorf("the doctor says %s: %s", c.Status, c.Detail)
	}
	events, err := os.ReadFile(h.log("medforged.out"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(events)) {
		if strings.Contains(line, `"gpu.quarantined"`) && strings.Contains(line, who) && strings.Contains(line, begins) {
			return g.Reason, nil
		}
	}
	return "", errors.New("no event gpu.quarantined names " + who)
}

func (h *host) enabled(ctx context.Context, uuid string, index int) (string, error) {
	if _, _, err := h.medforge(ctx, "admin", "gpu", "enable", fmt.Sprint(index)); err != nil {
		return "", err
	}
	g, err := h.gpu(ctx, uuid)
	if err != nil || g.Status != api.GPUFree {
		return "", fmt.Errorf("it is %s: %s %v", g.Status, g.Reason, err)
	}
	return string(g.Status), nil
}

// stranger starts a session while a program on the host uses the GPU. Others
// are disabled meanwhile, or the session would get one of them.
func (h *host) stranger(ctx context.Context, uuid string, index int) (_ string, err error) {
	all, err := h.gpus(ctx)
	if err != nil {
		return "", err
	}
	for _, g := range all {
		if g.UUID == uuid {
			continue
		}
		if _, _, err := h.medforge(ctx, "admin", "gpu", "disable", fmt.Sprint(g.Index)); err != nil {
			return "", err
		}
		defer func() {
			_, _, again := h.medforge(ctx, "admin", "gpu", "enable", fmt.Sprint(g.Index))
			err = errors.Join(err, again)
		}()
	}
	p, err := h.leave(ctx, uuid)
	if err != nil {
		return "", err
	}
	_, code, refusal := h.medforge(ctx, "session", "start", "-o", "json")
	seen, err := h.quarantined(ctx, uuid, p, "Before session")
	h.end(ctx, p)
	switch {
	case err != nil:
		return "", err
	case code == 0:
		return "", errors.New("a session got it")
	case !strings.Contains(refusal.Error(), "Start again"):
		return "", refusal
	}
	_, err = h.enabled(ctx, uuid, index)
	return seen, err
}
