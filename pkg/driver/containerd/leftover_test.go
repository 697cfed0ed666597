package containerd

import (
	"errors"
	"testing"

	"github.com/containerd/errdefs"
)

// What containerd 1.6 answered where a daemon was killed as it made a task,
// and the next one made it again; and what must not be waited out.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"failed to start shim: symlink /var/lib/containerd/io.containerd.runtime.v2.task/medforge/mf-session-zikvl7tk /run/containerd/io.containerd.runtime.v2.task/medforge/mf-session-zikvl7tk/work: no such file or directory": true,
		"mkdir /run/containerd/io.containerd.runtime.v2.task/medforge/mf-session-a: file exists":                                                                                                                                  true,
		"failed to start shim: start failed: : fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory":                                                                                                             true,
		"failed to create shim task: failed to mount rootfs component &{overlay overlay [index=off]}: no such file or directory: unknown":                                                                                         true,
		"failed to create shim task: ttrpc: closed: unknown":                                                                                                                                                                      true,
		"OCI runtime create failed: getwd: no such file or directory":                                                                                                                                                             true,
		`failed to create shim task: unable to retrieve OCI runtime error (open /run/containerd/io.containerd.runtime.v2.task/medforge/x/log.json: no such file or directory): exec: "runc": executable file not found in $PATH`:  false,
		"failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"code-server\": no such file or directory":                                                          false,
	} {
		if got := leftover(errors.New(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if !leftover(errdefs.ErrAlreadyExists) {
		t.Error("a task that is there")
	}
}

func TestStaleFolder(t *testing.T) {
	t.Parallel()
	d := &Driver{c: Config{Namespace: "medforge"}}
	const dir = "/run/containerd/io.containerd.runtime.v2.task/medforge/mf-session-a"
	for text, want := range map[string]string{
		"failed to start shim: mkdir " + dir + ": file exists: unknown":                       dir,
		"failed to start shim: mkdir " + dir + "b: file exists":                               "",
		"mkdir /run/containerd/io.containerd.runtime.v2.task/other/mf-session-a: file exists": "",
		"mkdir /etc: file exists":                          "",
		"symlink /var/lib/x " + dir + "/work: file exists": "",
		"mkdir /x\n/run/containerd/io.containerd.runtime.v2.task/medforge/mf-session-a: file exists; mkdir " + dir: "",
	} {
		if got := d.staleFolder(errors.New(text), "mf-session-a"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
