package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/medforge/medforge/pkg/api"
)

var errRehearsal = cannotRun{"the GPUs are simulated"}

// real is a check that needs a device.
func (h *host) real(name string, f func() (string, error)) bool {
	if h.rehearse {
		return h.check(name, func() (string, error) { return "", errRehearsal })
	}
	return h.check(name, f)
}

// checks runs everything, in the order of a GPU's life with a session.
func (h *host) checks(ctx context.Context) {
	if !h.check("containerd and medforged start", func() (string, error) { return "", h.up(ctx) }) {
		return
	}
	if !h.check("the Pack is imported", func() (string, error) {
		out, _, err := h.medforge(ctx, "admin", "pack", "import", filepath.Join(h.parts, "pack.tar"))
		return strings.TrimSpace(out), err
	}) {
		return
	}
	h.real("inventory equals nvidia-smi's", func() (string, error) { return h.inventory(ctx) })
	h.real("doctor finds the GPUs and their CDI devices", func() (string, error) { return h.doctorGPUs(ctx) })
	h.real("medforged made a CDI spec of its own", h.ownSpec)
	s, ok := h.started(ctx, "a session starts and gets a GPU")
	if !ok {
		return
	}
	h.isolation(ctx, s)
	h.computing(ctx, s)
	h.stopping(ctx, s)
	h.quarantine(ctx)
	h.check("a GPU that is lost ends its session", func() (string, error) {
		return "", cannotRun{"a device cannot be broken on purpose; shown on NVIDIA's mock by go test ./pkg/driver/nvml ./pkg/session"}
	})
}

func (h *host) inventory(ctx context.Context) (string, error) {
	ours, err := h.gpus(ctx)
	if err != nil {
		return "", err
	}
	theirs, err := devices(ctx)
	if err != nil {
		return "", err
	}
	if len(ours) != len(theirs) {
		return "", fmt.Errorf("%d devices, nvidia-smi has %d", len(ours), len(theirs))
	}
	var seen []string
	for i, g := range ours {
		d := theirs[i]
		if g.Index != d.index || g.UUID != d.uuid || g.Name != d.name || g.MemoryTotalBytes>>20 != d.totalMiB {
			return "", fmt.Errorf("device %d is %+v, nvidia-smi has %+v", i, g, d)
		}
		seen = append(seen, fmt.Sprintf("%d %s %s, %d MiB", g.Index, g.UUID, g.Name, d.totalMiB))
	}
	return strings.Join(seen, "; "), nil
}

// doctorGPUs wants both checks of the devices to be well.
func (h *host) doctorGPUs(ctx context.Context) (string, error) {
	checks, err := h.doctor(ctx)
	if err != nil {
		return "", err
	}
	var seen []string
	for _, name := range []string{"gpus", "cdi"} {
		c, ok := checks[name]
		if !ok || c.Status != api.CheckOK {
			return "", fmt.Errorf("%s: %s %s", name, c.Status, c.Detail)
		}
		seen = append(seen, name+": "+c.Detail)
	}
	return strings.Join(seen, "; "), nil
}

// ownSpec looks into the CDI spec that medforged made, where the operator has
// none.
func (h *host) ownSpec() (string, error) {
	spec, err := h.madeSpec()
	if err != nil {
		return "", err
	}
	from := ""
	for _, m := range spec.ContainerEdits.Mounts {
		if strings.HasPrefix(filepath.Base(m.HostPath), "libcuda.so.") {
			from = filepath.Dir(m.HostPath)
		}
	}
	if from == "" {
		return "", errors.New("it mounts no libcuda.so")
	}
	return fmt.Sprintf("%d devices, %d files of the driver, libcuda.so from %s, %d hooks", len(spec.Devices), len(spec.ContainerEdits.Mounts), from, len(spec.ContainerEdits.Hooks)), nil
}

// madeSpec reads the spec that medforged made.
func (h *host) madeSpec() (spec specs.Spec, err error) {
	found, err := filepath.Glob(filepath.Join(h.dir, "run", "cdi", "*.json"))
	if err != nil {
		return spec, err
	}
	if len(found) == 0 {
		return spec, cannotRun{"this machine's operator has one in /etc/cdi or /var/run/cdi"}
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(text, &spec)
}

// operatorSpec puts a spec of NVIDIA's kind where an operator would, and wants
// the sessions from now on to get their devices by it.
func (h *host) operatorSpec(ctx context.Context) (string, error) {
	spec, err := h.madeSpec()
	if err != nil {
		return "", err
	}
	spec.Kind = "nvidia.com/gpu"
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.dir, "operator")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "nvidia.json"), text, 0o644)); err != nil {
		return "", err
	}
	checks, err := h.doctor(ctx)
	if err != nil {
		return "", err
	}
	if c := checks["cdi"]; c.Status != api.CheckOK || !strings.HasPrefix(c.Detail, spec.Kind+"=") {
		return "", fmt.Errorf("%s: %s", c.Status, c.Detail)
	}
	return checks["cdi"].Detail, nil
}

// doctor returns the checks by name. Its exit code is for all of the host and
// does not count here: systemd and a domain are not part of this test.
func (h *host) doctor(ctx context.Context) (map[string]api.Check, error) {
	out, code, err := h.medforge(ctx, "doctor", "--config", h.config, "-o", "json")
	if err != nil && code != 1 {
		return nil, err
	}
	return decodeChecks(out)
}

// started starts a session and waits until it runs.
func (h *host) started(ctx context.Context, name string) (s api.Session, ok bool) {
	ok = h.check(name, func() (string, error) {
		began := time.Now()
		if err := h.ask(ctx, &s, "session", "start"); err != nil {
			return "", err
		}
		if s.Status != api.SessionRunning || s.GPUUUID == "" {
			return "", fmt.Errorf("it is %s with the GPU %q", s.Status, s.GPUUUID)
		}
		return fmt.Sprintf("%s in %d ms, GPU %d", s.Slug, time.Since(began).Milliseconds(), s.GPUID), nil
	})
	return s, ok
}

// isolation is what a session sees and what it does not.
func (h *host) isolation(ctx context.Context, s api.Session) {
	in := h.inside(s.Slug)
	h.real("inside, nvidia-smi -L lists exactly its GPU", func() (string, error) {
		return exactly(h, s)
	})
	h.real("inside, there is exactly its device node", func() (string, error) {
		names, err := in.List("/dev")
		if err != nil {
			return "", err
		}
		numbers, err := minors()
		if err != nil {
			return "", err
		}
		var gpus, others []string
		for _, n := range names {
			if strings.HasPrefix(n, "nvidia") && n > "nvidia/" && n < "nvidia:" {
				gpus = append(gpus, n)
			} else if strings.HasPrefix(n, "nvidia") {
				others = append(others, n)
			}
		}
		if want := fmt.Sprintf("nvidia%d", numbers[s.GPUUUID]); !slices.Equal(gpus, []string{want}) {
			return "", fmt.Errorf("%v, and not %s alone", gpus, want)
		}
		return strings.Join(append(gpus, others...), " "), nil
	})
	h.real("inside, another GPU's node cannot be opened", func() (string, error) { return h.otherNode(s) })
	h.real("the device nodes are known in /dev/char", charLinks)
	all, err := h.gpus(ctx)
	if err != nil || len(all) < 2 {
		h.check("a second session gets another GPU", func() (string, error) { return "", cannotRun{"this machine has one GPU"} })
		return
	}
	second, ok := h.started(ctx, "a second session starts")
	if !ok {
		return
	}
	h.check("a second session gets another GPU", func() (string, error) {
		if second.GPUUUID == s.GPUUUID {
			return "", errors.New("both have " + s.GPUUUID)
		}
		if h.rehearse {
			return second.GPUUUID, nil
		}
		return exactly(h, second)
	})
	h.check("the second session stops", func() (string, error) { return "", h.stop(ctx, second.Slug) })
}

// exactly wants nvidia-smi in a session to list its own GPU and no other.
func exactly(h *host, s api.Session) (string, error) {
	code, out, err := h.inside(s.Slug).Run("nvidia-smi", "-L")
	if err != nil || code != 0 {
		return "", fmt.Errorf("exit %d, %v: %s", code, err, out)
	}
	if got := listed(out); !slices.Equal(got, []string{s.GPUUUID}) {
		return "", fmt.Errorf("it lists %v, the session has %s", got, s.GPUUUID)
	}
	return out, nil
}

// otherNode makes, as root and from outside, the nodes of the session's own GPU
// and of another in the session's root file system. The first can be opened
// inside: so it is the control group that refuses the second.
func (h *host) otherNode(s api.Session) (string, error) {
	numbers, err := minors()
	if err != nil {
		return "", err
	}
	own := numbers[s.GPUUUID]
	other, what := own+1, "of a GPU that could be there"
	for uuid, minor := range numbers {
		if uuid != s.GPUUUID {
			other, what = minor, "of "+uuid
		}
	}
	pid, err := mainProcess(s.Slug)
	if err != nil {
		return "", err
	}
	const major = 195 // nvidia, in the kernel's Documentation/admin-guide/devices.txt
	got := map[string]string{}
	for name, minor := range map[string]uint32{"own": own, "other": other} {
		inside := "/node-" + name
		path := fmt.Sprintf("/proc/%d/root%s", pid, inside)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor))); err != nil {
			return "", fmt.Errorf("mknod: %w", err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return "", err
		}
		if got[name], err = h.inside(s.Slug).Open(inside); err != nil {
			return "", err
		}
		if err := os.Remove(path); err != nil {
			return "", err
		}
	}
	if got["own"] != "" || got["other"] != "EPERM" {
		return "", fmt.Errorf("its own node: %q; the node 195:%d %s: %q; want none and EPERM", got["own"], other, what, got["other"])
	}
	return fmt.Sprintf("195:%d %s: EPERM; the same of its own, 195:%d, opens", other, what, own), nil
}

// charLinks wants MAJOR:MINOR in /dev/char for every NVIDIA node.
func charLinks() (string, error) {
	found, err := filepath.Glob("/dev/nvidia*")
	if err != nil {
		return "", err
	}
	var seen []string
	for _, node := range found {
		var st, there unix.Stat_t
		if err := unix.Stat(node, &st); err != nil {
			return "", err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR {
			continue
		}
		link := fmt.Sprintf("/dev/char/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		if err := unix.Stat(link, &there); err != nil || there.Rdev != st.Rdev {
			return "", fmt.Errorf("%s is not %s (%v)", link, node, err)
		}
		seen = append(seen, fmt.Sprintf("%d:%d %s", unix.Major(st.Rdev), unix.Minor(st.Rdev), filepath.Base(node)))
	}
	if len(seen) == 0 {
		return "", errors.New("no node /dev/nvidia*")
	}
	return strings.Join(seen, ", "), nil
}
