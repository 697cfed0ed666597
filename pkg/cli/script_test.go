package cli_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/cli"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"medforge": func() { os.Exit(cli.Main(cli.OS("1.2.3-script"))) }})
}

// TestScripts runs the program itself, as a process, against the real API on a
// unix socket over a service in memory. Each script has a host of its own,
// which the command "host" works on.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			h := &scriptHost{Host: httpapitest.Start(t, httpapitest.Options{Doctor: []api.Check{
				{Name: "database", Status: api.CheckOK, Detail: "sqlite, migrated"},
				{Name: "Pack", Status: api.CheckFail, Detail: "none is imported", Fix: "medforge admin pack import FILE"},
			}}), reached: map[string]<-chan struct{}{}, release: map[string]func(){}}
			public := httptest.NewServer(h.API.Public())
			t.Cleanup(public.Close)
			testscript.Run(t, testscript.Params{
				Files:         []string{file},
				UpdateScripts: *update,
				Setup: func(env *testscript.Env) error {
					env.Setenv("MEDFORGE_SOCKET", h.Socket)
					env.Setenv("SERVER", public.URL)
					env.Setenv("TZ", "UTC")
					env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
					return nil
				},
				Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
					"host": h.command,
					"code": exitCode,
				},
			})
		})
	}
}

// exitCode runs a command and wants this exit code: code 5 medforge ...
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit interface{ ExitCode() int }
		if !asExit(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func asExit(err error, target *interface{ ExitCode() int }) bool {
	e, ok := err.(interface{ ExitCode() int })
	*target = e
	return ok
}

// scriptHost is a host that a script can change.
type scriptHost struct {
	*httpapitest.Host
	reached map[string]<-chan struct{}
	release map[string]func()
}

func (h *scriptHost) command(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: host what args...")
	}
	arg := func(i int) string {
		if i >= len(args) {
			ts.Fatalf("host %s needs more", args[0])
		}
		return args[i]
	}
	set := func(f func(*httpapitest.Settings)) { h.Service.Set(f) }
	switch args[0] {
	case "gpus":
		n, err := strconv.Atoi(arg(1))
		ts.Check(err)
		set(func(s *httpapitest.Settings) { s.GPUs = n })
	case "caller":
		h.Become(map[string]account.User{"root": httpapitest.Admin, "alice": httpapitest.Alice}[arg(1)])
	case "session": // slug status [log-file [snapshot...]]
		log := ""
		if len(args) > 3 {
			log = ts.ReadFile(args[3])
		}
		h.Service.Add(seeded(arg(1), session.Status(arg(2)), h), log, slices.Clone(args[min(4, len(args)):])...)
	case "browser": // agent: alice signs in with one
		_, err := h.Accounts.SignIn(context.Background(), httpapitest.Alice.Email, httpapitest.Password, account.Origin{Agent: arg(1)})
		ts.Check(err)
	case "fail-at":
		set(func(s *httpapitest.Settings) { s.FailAt = arg(1) })
	case "snapshots-fail":
		set(func(s *httpapitest.Settings) { s.SnapshotFails = true })
	case "backups-break":
		set(func(s *httpapitest.Settings) { s.BackupBreaks = true })
	case "error": // kind code message
		e := fault.New(fault.Kind(arg(1)), arg(2), "%s", strings.ReplaceAll(arg(3), `\e`, "\x1b"))
		set(func(s *httpapitest.Settings) { s.Err = e })
	case "degraded":
		set(func(s *httpapitest.Settings) {
			s.Degraded = []session.Degradation{{Part: arg(1), Why: arg(2), Since: time.Now()}}
		})
	case "orphan":
		h.Service.AddOrphan(session.Orphan{Kind: arg(1), Name: arg(2), Why: arg(3), Removed: arg(4) == "removed"})
	case "hold":
		h.reached[arg(1)], h.release[arg(1)] = h.Service.Hold(arg(1))
	case "reached":
		select {
		case <-h.reached[arg(1)]:
		case <-time.After(time.Minute):
			ts.Fatalf("nothing came to %s", arg(1))
		}
	case "release":
		h.release[arg(1)]()
	case "wait":
		h.Service.Wait()
	case "die":
		h.Service.Die(arg(1))
	default:
		ts.Fatalf("host does not know %q", args[0])
	}
}

// seeded is a session with fixed times, of whoever calls now.
func seeded(slug string, status session.Status, h *scriptHost) session.Session {
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	s := session.Session{
		ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(slug)).String(), UserID: h.Actor("").UserID, Slug: slug,
		Tier: session.TierPublic, Status: status, PackID: "default", PackDigest: "sha256:" + strings.Repeat("ab", 32),
		GPUIndex: 2, GPUUUID: "GPU-2", ContainerID: session.ContainerName(slug), CreatedAt: at, StartedAt: at.Add(2 * time.Second),
	}
	if status.Terminal() {
		s.StoppedAt = at.Add(time.Hour)
	}
	if status == session.Error {
		s.ErrorMessage = fmt.Sprintf("The container of %s ended by itself.\x1b]0;owned\x07", slug)
	}
	return s
}
