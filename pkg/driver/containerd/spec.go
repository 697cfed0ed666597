package containerd

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// What a session sees.
const (
	workspaceDir = "/workspace"
	socketDir    = "/run/medforge"
	cliPath      = "/usr/local/bin/medforge"
	ideDataDir   = workspaceDir + "/.local/share/code-server"
)

// The user that sessions run as, "coder" in the default Pack.
const userID, groupID = 1000, 1000

// noFileSoft and noFileHard are RLIMIT_NOFILE, where the host allows as much.
// Data loaders open many files; programs that close every possible descriptor
// would be slow with a soft limit as high as the hard one.
const (
	noFileSoft = 65536
	noFileHard = 1048576
)

// oomScore makes the kernel end sessions' processes before the host's own when
// the host as a whole runs out of memory.
const oomScore = 500

// specOpts are what is done to containerd's default specification, in order.
// That one brings masked and read-only paths, no-new-privileges, the usual
// mounts of /proc, /dev and /sys, and no device but the harmless ones.
func (d *Driver) specOpts(s session.Spec, image ocispec.ImageConfig, netns string) []oci.SpecOpts {
	return []oci.SpecOpts{
		withProcess(s, image),
		withoutPrivileges,
		seccomp.WithDefaultProfile(), // looks at the capabilities: after them
		withoutForeignCalls,
		withNamespaces(s.Slug, netns),
		d.withMounts(s),
		withLimits(s.Limits),
		d.withDevices(s), // may add anything, so last
	}
}

func withProcess(s session.Spec, image ocispec.ImageConfig) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		p := spec.Process
		p.Cwd = workspaceDir
		p.Terminal = false
		// The Pack says how its IDE is started, an init before it; the flags
		// are code-server's.
		p.Args = append(append([]string(nil), image.Entrypoint...),
			"--auth", "none",
			"--socket", path.Join(socketDir, "ide.sock"),
			"--user-data-dir", ideDataDir,
			"--extensions-dir", path.Join(ideDataDir, "extensions"),
			"--disable-telemetry",
			"--disable-update-check",
			"--disable-workspace-trust",
			workspaceDir,
		)
		p.Env = environment(s, image.Env)
		files, err := noFile()
		if err != nil {
			return err
		}
		p.Rlimits = []specs.POSIXRlimit{
			files,
			// A core of a training process is as large as its memory.
			{Type: "RLIMIT_CORE"},
		}
		score := oomScore
		p.OOMScoreAdj = &score
		return nil
	}
}

// noFile stays within the daemon's own limit: on a host where root cannot raise
// it, the container would not start.
func noFile() (specs.POSIXRlimit, error) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		return specs.POSIXRlimit{}, fmt.Errorf("reading the limit on open files: %w", err)
	}
	hard := min(noFileHard, own.Max)
	return specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: min(noFileSoft, hard), Hard: hard}, nil
}

// environment is the Pack's with ours over it.
func environment(s session.Spec, pack []string) []string {
	visible := s.GPUUUID
	if len(s.CDIDevices) == 0 {
		visible = "void" // NVIDIA's word for "no device, do not even look"
	}
	ours := []string{
		"HOME=" + workspaceDir,
		"MEDFORGE_SESSION_ID=" + s.SessionID,
		"MEDFORGE_USER_ID=" + s.UserID,
		"MEDFORGE_TIER=" + string(s.Tier),
		fmt.Sprintf("MEDFORGE_GPU_ID=%d", s.GPUIndex),
		"MEDFORGE_SOCKET=" + path.Join(socketDir, "api.sock"),
		"NVIDIA_VISIBLE_DEVICES=" + visible,
		"CUDA_VISIBLE_DEVICES=0", // of the one it has
	}
	defaults := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SHELL=/bin/bash",
		"PROMPT_COMMAND=. /etc/" + promptFile}
	return merge(merge(defaults, pack), ours)
}

// merge returns env with over's variables set in it.
func merge(env, over []string) []string {
	out := append([]string(nil), env...)
next:
	for _, kv := range over {
		name, _, _ := strings.Cut(kv, "=")
		for i := range out {
			if strings.HasPrefix(out[i], name+"=") {
				out[i] = kv
				continue next
			}
		}
		out = append(out, kv)
	}
	return out
}

func withoutPrivileges(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
	spec.Process.User = specs.User{UID: userID, GID: groupID, AdditionalGids: []uint32{groupID}}
	spec.Process.Capabilities = &specs.LinuxCapabilities{}
	spec.Process.NoNewPrivileges = true
	return nil
}

// withoutForeignCalls leaves only the calls of 64-bit programs on amd64. The
// default profile also lets in those of 32-bit programs, which the Pack cannot
// run, by a kernel's second door; and runc would compile the filter three times
// over at each start, a tenth of it.
func withoutForeignCalls(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
	if runtime.GOARCH == "amd64" && spec.Linux.Seccomp != nil {
		spec.Linux.Seccomp.Architectures = []specs.Arch{specs.ArchX86_64}
	}
	return nil
}

func withNamespaces(slug, netns string) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		spec.Hostname = slug
		spec.Linux.Namespaces = []specs.LinuxNamespace{
			{Type: specs.PIDNamespace},
			{Type: specs.IPCNamespace},
			{Type: specs.UTSNamespace},
			{Type: specs.MountNamespace},
			{Type: specs.CgroupNamespace},
			{Type: specs.NetworkNamespace, Path: netns},
		}
		return nil
	}
}

// withDevices injects what CDI knows under the names: device nodes, libraries,
// hooks. The specs are read anew: they may be newer than this driver.
func (d *Driver) withDevices(s session.Spec) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		err := d.c.Devices.Inject(spec, s.CDIDevices)
		if f := fault.As(err); f != nil {
			return fault.Wrap(err, fault.Unavailable, "runtime/cdi-failed", "The device of session %s cannot be injected: %s.", s.Slug, f.Message)
		}
		return err
	}
}
