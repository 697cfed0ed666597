package containerd

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/medforge/medforge/pkg/session"
)

// shmDefault is the most that /dev/shm gets unless configured. PyTorch's data
// loaders pass batches through it, and the kernel's 64 MiB end them with a bus
// error.
const shmDefault = 8 << 30

// withMounts adds what a session has of the host: its workspace, its socket
// folder, its files of /etc, and the program medforge.
func (d *Driver) withMounts(s session.Spec) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		var mounts []specs.Mount
		for _, m := range spec.Mounts {
			switch m.Destination {
			case "/dev/shm":
				m.Options = []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", shmSize(d.c.ShmBytes, s.Limits))}
			case "/run":
				continue // root's; nobody in a session is
			}
			mounts = append(mounts, m)
		}
		bind := func(from, to string, options ...string) {
			mounts = append(mounts, specs.Mount{Type: "bind", Source: from, Destination: to, Options: append([]string{"bind"}, options...)})
		}
		mounts = append(mounts, specs.Mount{
			Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup",
			Options: []string{"ro", "nosuid", "noexec", "nodev"},
		})
		// rslave: what the host mounts in the workspace later appears in it.
		bind(s.WorkspacePath, workspaceDir, "rw", "nosuid", "nodev", "rslave")
		bind(s.SocketPath, socketDir, "rw", "nosuid", "nodev", "noexec", "rprivate")
		for _, name := range etcFiles {
			bind(filepath.Join(d.etcDir(s.Slug), name), filepath.Join("/etc", name), "ro", "nosuid", "nodev", "noexec", "rprivate")
		}
		if d.c.CLIPath != "" {
			bind(d.c.CLIPath, cliPath, "ro", "nosuid", "nodev", "rprivate")
		}
		spec.Mounts = mounts
		return nil
	}
}

// shmSize is at most half of the memory: it counts against the memory's limit,
// and a full one must leave room for the programs that filled it.
func shmSize(most int64, l session.Limits) int64 {
	if l.MemoryBytes > 0 {
		return min(most, l.MemoryBytes/2)
	}
	return most
}

// etcFiles are the files of /etc that a session has of its own.
var etcFiles = [...]string{"hosts", "resolv.conf", "hostname", promptFile}

// promptFile is what bash reads before each prompt, by PROMPT_COMMAND.
const promptFile = "medforge-prompt"

// promptText tells in the terminal that the workspace is nearly full.
//
//go:embed prompt.bash
var promptText string

// writeEtc makes them. address is invalid where there is no network.
func (d *Driver) writeEtc(slug string, address netip.Addr) error {
	resolv, err := d.net.ResolvConf()
	if err != nil {
		return fmt.Errorf("making the session's resolv.conf: %w", err)
	}
	own := "127.0.1.1"
	if address.IsValid() {
		own = address.String()
	}
	files := map[string]string{
		"hosts":       "127.0.0.1 localhost\n" + own + " " + slug + "\n",
		"resolv.conf": string(resolv),
		"hostname":    slug + "\n",
		promptFile:    promptText,
	}
	if err := os.MkdirAll(d.etcDir(slug), 0o755); err != nil {
		return fmt.Errorf("making the session's files of /etc: %w", err)
	}
	for _, name := range etcFiles {
		// Written in place: a running session has this very file mounted.
		if err := os.WriteFile(filepath.Join(d.etcDir(slug), name), []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("making the session's files of /etc: %w", err)
		}
	}
	return nil
}
