package containerd_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/script"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// TestDefaultPack runs the real Pack: code-server answers on its socket, keeps
// its data in the workspace, and nothing is left when it is stopped.
func TestDefaultPack(t *testing.T) {
	path := promised.Pack(t)
	t.Parallel()
	h := newHost(t, nil)
	archive, err := os.Open(path)
	noErr(t, err)
	defer archive.Close()
	pack, err := h.Driver.ImportPack(t.Context(), archive)
	noErr(t, err)
	if pack.ID != "default" || pack.SizeBytes < 10<<20 {
		t.Errorf("the Pack is %+v", pack)
	}
	s := h.spec(t, pack.Digest)
	// A small file system of its own, as a dataset with a quota is.
	noErr(t, unix.Mount("none", s.WorkspacePath, "tmpfs", 0, "size=256m,mode=755,uid=1000,gid=1000"))
	t.Cleanup(func() { _ = unix.Unmount(s.WorkspacePath, unix.MNT_DETACH) })
	s.Limits = session.Limits{CPUMillis: 2000, MemoryBytes: 2 << 30, PIDs: 1024}
	noErr(t, h.Driver.Create(t.Context(), s))
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	watch.Succeeds(t, "code-server answers", func() error { return healthz(s) })

	t.Run("data in the workspace", func(t *testing.T) {
		watch.Succeeds(t, "code-server made its folder", func() error {
			_, err := os.Stat(filepath.Join(s.WorkspacePath, ".local/share/code-server"))
			return err
		})
	})
	t.Run("an init reaps", func(t *testing.T) {
		// The shell ends and leaves a child to init; that child ends. A zombie
		// would stay in the list of processes.
		h.exec(t, s.Slug, "sh", "-c", "(setsid sleep 0.05 &) ; exit 0")
		watch.Succeeds(t, "no process is a zombie or the sleeper", func() error {
			out := h.exec(t, s.Slug, "ps", "-eo", "stat=,comm=")
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "Z") || strings.Contains(line, "sleep") {
					return os.ErrExist
				}
			}
			if !strings.Contains(out, "tini") {
				t.Fatalf("no init runs: %s", out)
			}
			return nil
		})
	})
	t.Run("who it is", func(t *testing.T) {
		if got := h.exec(t, s.Slug, "id"); got != "uid=1000(coder) gid=1000(coder) groups=1000(coder)\n" {
			t.Errorf("id says %q", got)
		}
		if got := h.exec(t, s.Slug, "sh", "-c", "cd; pwd; touch x /tmp/y; python3 -c 'import multiprocessing; print(multiprocessing.Value(\"i\", 7).value)'"); got != "/workspace\n7\n" {
			t.Errorf("the shell says %q", got)
		}
	})
	t.Run("64-bit programs only", func(t *testing.T) {
		const name = "exit-7"
		program := filepath.Join(s.WorkspacePath, name)
		script.Write(t, program, oldProgram(t))
		noErr(t, os.Chmod(program, 0o755))
		var ended *exec.ExitError
		if err := exec.Command(program).Run(); !errors.As(err, &ended) || ended.ExitCode() != 7 {
			t.Skipf("this kernel runs no 32-bit program at all: %v", err)
		}
		if got := h.exec(t, s.Slug, "bash", "-c", "/workspace/"+name+" 2>/dev/null; echo $?"); got != "159\n" {
			t.Errorf("a 32-bit program in a session ended with %q, want 159, for SIGSYS", got)
		}
	})
	t.Run("a terminal tells that the workspace is nearly full", func(t *testing.T) {
		var st unix.Statfs_t
		until := func(percent uint64) uint64 {
			noErr(t, unix.Statfs(s.WorkspacePath, &st))
			return st.Blocks*uint64(st.Bsize)*percent/100 - (st.Blocks-st.Bfree)*uint64(st.Bsize)
		}
		fill := func(name string, percent uint64) {
			noErr(t, os.WriteFile(filepath.Join(s.WorkspacePath, name), make([]byte, until(percent)), 0o644))
		}
		// What a person types, each line at a prompt, and how often they are told.
		prompts := func() int {
			return strings.Count(h.exec(t, s.Slug, "bash", "-c", `printf 'true\ntrue\n' | bash -i 2>&1`), "medforge: /workspace is ")
		}
		for _, step := range []struct {
			percent uint64
			told    int
		}{{0, 0}, {85, 1}, {97, 1}} {
			if step.percent > 0 {
				fill(fmt.Sprint(step.percent), step.percent)
			}
			if got := prompts(); got != step.told {
				t.Errorf("at %d %% two prompts tell %d times, want %d", step.percent, got, step.told)
			}
		}
		// VS Code's terminal, and a shell in it.
		const vscode = "/opt/code-server/node_modules/code-server/lib/vscode/out/vs/workbench/contrib/terminal/common/scripts/shellIntegration-bash.sh"
		out := h.exec(t, s.Slug, "bash", "-c", `printf 'true\nbash -i\necho in"ner"\n' | VSCODE_INJECTION=1 bash --init-file `+vscode+` -i 2>&1`)
		if strings.Count(out, "medforge: /workspace is ") != 1 || !strings.Contains(out, "inner") || strings.Contains(out, "not found") {
			t.Errorf("VS Code's terminal says %q", out)
		}
	})
	exits, err := h.Driver.Exits(t.Context())
	noErr(t, err)
	noErr(t, h.Driver.Stop(t.Context(), s.Slug, 3*time.Minute))
	if e := <-exits; e.Slug != s.Slug || e.ExitCode == 137 {
		t.Errorf("code-server did not end at SIGTERM and was killed: %+v", e)
	}
	log, err := readAll(h.Driver, s.Slug)
	if err != nil || !strings.Contains(log, "/run/medforge/ide.sock") {
		t.Errorf("the log is %q, %v", log, err)
	}
}

// healthz asks code-server as the daemon does.
func healthz(s session.Spec) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.SocketPath, "ide.sock"))
		},
	}}
	resp, err := client.Get("http://ide/healthz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body struct{ Status string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return err
	}
	if body.Status != "alive" && body.Status != "expired" {
		return os.ErrInvalid
	}
	return nil
}

// exec runs a command in a session, as its terminal would, and returns what it
// printed.
func (h *host) exec(t *testing.T, slug string, args ...string) string {
	t.Helper()
	ctx := h.Context(t)
	c, err := h.Client().LoadContainer(ctx, session.ContainerName(slug))
	noErr(t, err)
	task, err := c.Task(ctx, nil)
	noErr(t, err)
	spec, err := c.Spec(ctx)
	noErr(t, err)
	spec.Process.Args = args
	var out, errs bytes.Buffer
	fifos := filepath.Join(h.Dir, "fifo")
	p, err := task.Exec(ctx, uuid.NewString(), spec.Process, cio.NewCreator(cio.WithStreams(nil, &out, &errs), cio.WithFIFODir(fifos)))
	noErr(t, err)
	exit, err := p.Wait(ctx)
	noErr(t, err)
	noErr(t, p.Start(ctx))
	status := <-exit
	p.IO().Wait()
	_, err = p.Delete(ctx)
	noErr(t, err)
	if status.ExitCode() != 0 {
		t.Fatalf("%v ended with %d: %s", args, status.ExitCode(), out.String()+errs.String())
	}
	return out.String()
}

// oldProgram is a 32-bit program that ends with status 7, by the kernel's door for
// such programs.
func oldProgram(t *testing.T) string {
	t.Helper()
	const base, head = 0x08048000, 52 + 32
	code := []byte{0xb8, 1, 0, 0, 0, 0xbb, 7, 0, 0, 0, 0xcd, 0x80} // exit(7): mov eax, 1; mov ebx, 7; int 0x80
	size := uint32(head + len(code))
	var b bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	noErr(t, binary.Write(&b, binary.LittleEndian, elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386),
		Version: uint32(elf.EV_CURRENT), Entry: base + head, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1}))
	noErr(t, binary.Write(&b, binary.LittleEndian, elf.Prog32{Type: uint32(elf.PT_LOAD), Vaddr: base, Paddr: base,
		Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: 0x1000}))
	b.Write(code)
	return b.String()
}
