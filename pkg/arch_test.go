// Package pkg_test keeps the direction of the arrows: which room of the house
// may import which.
package pkg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/medforge/medforge/"

var (
	domains = []string{"pkg/session", "pkg/competition", "pkg/account", "pkg/event", "pkg/auth", "pkg/scoring"}
	server  = append([]string{"pkg/httpapi", "pkg/proxy", "pkg/webpage", "pkg/store", "pkg/driver", "pkg/beneath", "pkg/api", "pkg/config",
		"pkg/fault", "competitions", "web"}, domains...)
)

// rooms are the table of the architecture: a folder with all below it, and the
// rooms that it may import. A package in no room fails the test, and so does an
// import that is not here. Within a room everything may import everything.
var rooms = map[string][]string{
	"cmd/medforge":     {"pkg/cli", "pkg/config"},
	"cmd/medforged":    {"pkg/daemon", "pkg/config"},
	"cmd/medforge-log": {"pkg/driver/containerd/logdriver"},

	// The client's side knows nothing of the daemon.
	"pkg/cli":    {"pkg/client", "pkg/tui", "pkg/api", "pkg/fault", "pkg/config", "pkg/termtext"},
	"pkg/tui":    {"pkg/api", "pkg/fault", "pkg/termtext"},
	"pkg/client": {"pkg/api", "pkg/fault"},

	"pkg/termtext": {},

	// Both sides.
	"pkg/api":    {"pkg/fault"},
	"pkg/fault":  {},
	"pkg/config": {"pkg/fault"},

	// The daemon's side. Domains know their ports, and no driver, no store, no
	// HTTP.
	"pkg/daemon":      server,
	"pkg/httpapi":     append([]string{"pkg/api", "pkg/fault"}, domains...),
	"pkg/proxy":       {"pkg/auth", "pkg/fault"},
	"pkg/webpage":     {},
	"pkg/auth":        {"pkg/fault"},
	"pkg/event":       {"pkg/fault"},
	"pkg/session":     {"pkg/auth", "pkg/event", "pkg/fault"},
	"pkg/competition": {"pkg/auth", "pkg/event", "pkg/fault", "pkg/scoring"},
	"pkg/account":     {"pkg/auth", "pkg/event", "pkg/fault"},
	"pkg/scoring":     {"pkg/fault"},
	"pkg/store":       append([]string{"pkg/fault"}, domains...),
	"pkg/driver":      {"pkg/session", "pkg/fault", "pkg/beneath"},
	"pkg/beneath":     {},

	"packs":        {},
	"scripts":      {"pkg/cli", "pkg/daemon"}, // man pages and completions are made from the commands
	"competitions": {},
	"web":          {},
}

// forTests are the rooms that only tests use. They may import everything, and
// nothing but tests and they themselves may import them.
var forTests = []string{"pkg/porttest", "pkg/testkit", "pkg/httpapi/httpapitest", "pkg/store/storetest", "test"}

type pkg struct {
	ImportPath string
	Imports    []string
	DepOnly    bool
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,DepOnly"}, args...)...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within reports whether a package is the room or below it.
func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

func isForTests(path string) bool {
	return slices.ContainsFunc(forTests, func(room string) bool { return within(path, room) })
}

func roomOf(path string) string {
	for room := range rooms {
		if within(path, room) {
			return room
		}
	}
	return ""
}

// wrong says what is wrong with an import, or nothing.
func wrong(from, to string) string {
	switch room := roomOf(from); {
	case isForTests(from):
		return ""
	case isForTests(to):
		return "is for tests only"
	case room == "":
		return "is imported by a package that is in no room of the architecture"
	case within(to, room):
		return ""
	case !slices.ContainsFunc(rooms[room], func(r string) bool { return within(to, r) }):
		return "is not among what " + room + " may import"
	}
	return ""
}

func TestArrows(t *testing.T) {
	all := list(t, "./...")
	if len(all) < 10 {
		t.Fatalf("only %d packages were found", len(all))
	}
	for _, p := range all {
		from := strings.TrimPrefix(p.ImportPath, module)
		if !isForTests(from) && roomOf(from) == "" && from != "pkg" {
			t.Errorf("%s is in no room of the architecture", from)
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			if why := wrong(from, to); why != "" {
				t.Errorf("%s imports %s, which %s", from, to, why)
			}
		}
	}
}

// TestTheArrowsTestCanFail: a guard that cannot fail guards nothing.
func TestTheArrowsTestCanFail(t *testing.T) {
	for _, bad := range [][2]string{
		{"pkg/session", "pkg/driver/containerd"}, {"pkg/session", "pkg/store"}, {"pkg/cli", "pkg/session"},
		{"pkg/client", "pkg/httpapi"}, {"pkg/tui", "pkg/client"}, {"pkg/api", "pkg/session"}, {"pkg/fault", "pkg/api"},
		{"pkg/httpapi", "pkg/store"}, {"pkg/driver/zfs", "pkg/store"}, {"pkg/proxy", "pkg/session"},
		{"pkg/daemon", "pkg/porttest"}, {"pkg/daemon", "pkg/cli"}, {"cmd/medforge", "pkg/daemon"}, {"pkg/sessions", "pkg/fault"},
		{"pkg/scoring", "pkg/competition"},
	} {
		if wrong(bad[0], bad[1]) == "" {
			t.Errorf("%s may import %s", bad[0], bad[1])
		}
	}
	for _, good := range [][2]string{
		{"pkg/cli/doctor", "pkg/api"}, {"pkg/driver/nvml", "pkg/driver/cdi"}, {"pkg/daemon", "pkg/driver/zfs"},
		{"pkg/porttest/fakeruntime", "pkg/session"}, {"pkg/httpapi/httpapitest", "pkg/httpapi"},
	} {
		if why := wrong(good[0], good[1]); why != "" {
			t.Errorf("%s may not import %s: %s", good[0], good[1], why)
		}
	}
}

// TestTheCommandLineStaysLight: it starts in milliseconds and runs inside any
// Pack, so it has no cgo and nothing of the daemon's technologies in it.
func TestTheCommandLineStaysLight(t *testing.T) {
	heavy := []string{"github.com/containerd/", "modernc.org/", "google.golang.org/grpc", "github.com/danielgtaylor/huma",
		"github.com/NVIDIA/", "runtime/cgo", "testing"}
	t.Setenv("CGO_ENABLED", "0")
	for _, p := range list(t, "-deps", "./cmd/medforge") {
		for _, h := range heavy {
			if p.ImportPath == strings.TrimSuffix(h, "/") || strings.HasPrefix(p.ImportPath, h) {
				t.Errorf("medforge contains %s", p.ImportPath)
			}
		}
	}
}

func TestMainsAreAFewLines(t *testing.T) {
	for _, f := range []string{"../cmd/medforge/main.go", "../cmd/medforged/main.go", "../cmd/medforge-log/main.go"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > 30 {
			t.Errorf("%s has %d lines", f, n)
		}
	}
}
