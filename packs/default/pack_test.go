// Package pack_test tries the default Pack as sh packs/default/build made it, in
// a containerd of the test's own.
package pack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/platforms"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// importPack imports the archive and checks that containerd knows it by the
// digest that stands beside the archive.
func importPack(t *testing.T, ctx context.Context, client *containerd.Client) containerd.Image {
	t.Helper()
	path := promised.Pack(t)
	want, err := os.ReadFile(filepath.Join(filepath.Dir(path), "digest"))
	must(t, err)
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	images, err := client.Import(ctx, f)
	must(t, err)
	if len(images) != 1 || images[0].Target.Digest.String() != strings.TrimSpace(string(want)) {
		t.Fatalf("imported %v; want one image with the digest %s", images, want)
	}
	image := containerd.NewImageWithPlatform(client, images[0], platforms.Default())
	must(t, image.Unpack(ctx, ""))
	return image
}

// probes are run inside the Pack as its user; each prints what is wanted.
var probes = []struct{ name, script, want string }{
	{"user", `id -u; id -g; id -un; getent passwd 1000 | cut -d: -f6,7`, "1000\n1000\ncoder\n/home/coder:/bin/bash\n"},
	{"locale", `locale charmap`, "UTF-8\n"},
	{"programs", `for p in python3 pip git curl gcc g++ make tmux less htop ssh ps nano vi node npm npx code-server rg-is-not-here; do command -v $p >/dev/null || echo "no $p"; done`, "no rg-is-not-here\n"},
	{"node", `node -p 'process.versions.node.split(".")[0]'`, "24\n"},
	{"terminals", `cd $VSCODE && node -e 'const p = require("node-pty").spawn("sh", ["-c", "test -t 0 && echo a terminal"], {}); p.onData(d => process.stdout.write(d.replace("\r", "")))'`, "a terminal\n"},
	{"search", `mkdir -p /tmp/s && echo needle > /tmp/s/hay && cd $VSCODE && node_modules/@vscode/ripgrep-universal/bin/linux-x64/rg -l needle /tmp/s`, "/tmp/s/hay\n"},
	{"native modules", `cd $VSCODE && node -e 'for (const m of ["kerberos", "@vscode/sqlite3", "@vscode/spdlog", "@parcel/watcher", "@vscode/native-watchdog", "@vscode/fs-copyfile"]) require(m); console.log("loaded")'`, "loaded\n"},
	{"passwords", `cd $VSCODE/../.. && node -e 'require("argon2").hash("x").then(h => console.log(h.split("$")[1]))'`, "argon2id\n"},
	{"pip installs below HOME", `python3 -m pip config debug >/dev/null && python3 -c 'import sysconfig, os; print(os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")))'`, "False\n"},
	{"a virtual environment", `python3 -m venv /tmp/v && /tmp/v/bin/python -c 'import pip, sys; print(sys.prefix)'`, "/tmp/v\n"},
	{"C and C++ compile", `cd /tmp && printf '#include <cstdio>\n#include <Python.h>\nint main() { puts(PY_VERSION[0] == 51 ? "three" : "?"); }' > p.cc && g++ p.cc $(python3-config --includes) -o p && ./p`, "three\n"},
	{"nothing of the build's machine", `ls /etc/apt/sources.list /etc/apt/sources.list.d /etc/machine-id /etc/hostname /opt/node/include 2>/dev/null; find /opt -name '*.map' | head -1`, "/etc/apt/sources.list.d:\n"},
}

func TestPack(t *testing.T) {
	t.Parallel()
	promised.Pack(t) // skips before a containerd is started
	client, ctx := startContainerd(t)
	image := importPack(t, ctx, client)

	workspace, sockets := t.TempDir(), socketDir(t)
	for _, dir := range []string{workspace, sockets} {
		must(t, os.Chown(dir, 1000, 1000))
	}
	c := startContainer(t, ctx, client, image, []specs.Mount{
		{Type: "bind", Source: workspace, Destination: "/workspace", Options: []string{"rbind", "rw"}},
		{Type: "bind", Source: sockets, Destination: "/run/medforge", Options: []string{"rbind", "rw"}},
	}, "code-server", "--auth", "none", "--socket", "/run/medforge/ide.sock", "--user-data-dir", "/workspace/.ide",
		"--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", "/workspace")

	t.Run("the IDE answers", func(t *testing.T) { healthz(t, filepath.Join(sockets, "ide.sock")) })
	for i, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			const where = "VSCODE=/opt/code-server/node_modules/code-server/lib/vscode; "
			got, status := c.run(t, ctx, fmt.Sprintf("probe%d", i), where+p.script)
			if got != p.want || status != 0 && p.name != "nothing of the build's machine" {
				t.Errorf("status %d, printed %q; want %q", status, got, p.want)
			}
		})
	}
}

// socketDir is short enough for a unix socket's path.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mf-ide-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func healthz(t *testing.T, socket string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	watch.Succeeds(t, "GET /healthz", func() error {
		response, err := client.Get("http://ide/healthz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var health struct{ Status string }
		if err := json.NewDecoder(response.Body).Decode(&health); err != nil {
			return err
		}
		if health.Status != "alive" && health.Status != "expired" {
			return fmt.Errorf("status %q", health.Status)
		}
		return nil
	})
}
