package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/medforge/medforge/pkg/fault"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "medforged.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func daemonFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("medforged", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := file(t, "[session]\nper_user = 2\nmax_concurrent = 5\nstart_timeout = \"2m\"\n")
	env := []string{"MEDFORGED_SESSION_PER_USER=3", "MEDFORGED_SESSION_MAX_CONCURRENT=4", "MEDFORGED_NETWORK_DNS=10.0.0.1, 10.0.0.2",
		"MEDFORGED_LOG_LEVEL=", "MEDFORGED_CONFIG=/x", "OTHER=1"}
	c, err := Load(Options{Path: path, Environ: env, Flags: daemonFlags(t, "--session-per-user=4", "--gpu-driver", "simulated")})
	if err != nil {
		t.Fatal(err)
	}
	if c.Session.PerUser != 4 || c.Session.MaxConcurrent != 4 || c.Session.StartTimeout != 2*time.Minute || c.Session.StopGrace != 10*time.Second {
		t.Errorf("flag 4, environment 4, file 2m, default 10s: %+v", c.Session)
	}
	if len(c.Network.DNS) != 2 || c.Network.DNS[1].String() != "10.0.0.2" || c.GPU.Driver != GPUSimulated {
		t.Errorf("%+v %+v", c.Network, c.GPU)
	}
}

// A mistake names the source that it came from, and a stronger source hides a
// weaker one's mistake.
func TestMistakesNameTheirSource(t *testing.T) {
	t.Parallel()
	path := file(t, "[session]\nper_user = 0\n[log]\nlevel = \"loud\"\n")
	env := []string{"MEDFORGED_SESSION_PIDS=x", "MEDFORGED_LOG_LEVEL=warn", "MEDFORGED_SESION_PIDS=1", "MEDFORGED_WORKSPACE_ZFS_PARENT=-"}
	_, err := Load(Options{Path: path, Environ: env, Flags: daemonFlags(t, "--gpu-count=many")})
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || f.Code != "config/invalid" {
		t.Fatalf("%v", err)
	}
	want := []string{
		path + ":2: session.per_user",
		"environment MEDFORGED_SESION_PIDS",
		"environment MEDFORGED_WORKSPACE_ZFS_PARENT: workspace.zfs_parent",
		"environment MEDFORGED_SESSION_PIDS: session.pids",
		"flag --gpu-count: gpu.count",
	}
	var got []string
	for _, m := range f.Fields {
		got = append(got, m.Loc)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.toml")
	if _, err := Load(Options{Path: path, Environ: []string{}}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(Options{Path: path, Optional: true, Environ: []string{}}); err != nil {
		t.Errorf("optional: %v", err)
	}
	if _, err := Load(Options{Path: t.TempDir(), Optional: true, Environ: []string{}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Load(Options{Path: file(t, strings.Repeat("#\n", 1<<20)), Environ: []string{}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a huge file: %v", err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		toml, url string
		secure    bool
	}{
		{``, "http://s-abc.medforge.localhost:8080", false},
		{`http.listen = ":80"`, "http://s-abc.medforge.localhost", false},
		{"http.listen = \":443\"\nhttp.tls_cert = \"/c\"\nhttp.tls_key = \"/k\"", "https://s-abc.medforge.localhost", true},
		{"http.tls_cert = \"/c\"\nhttp.tls_key = \"/k\"", "https://s-abc.medforge.localhost:8080", true},
		{`http.external = "https"`, "https://s-abc.medforge.localhost", true},
		{`http.external = "https:8443"`, "https://s-abc.medforge.localhost:8443", true},
		{`http.external = "http:80"`, "http://s-abc.medforge.localhost", false},
	} {
		got, err := Load(Options{Path: file(t, c.toml), Environ: []string{}})
		if err != nil {
			t.Fatalf("%s: %v", c.toml, err)
		}
		if u := got.URL(got.SessionHost("abc")); u != c.url || got.Secure() != c.secure {
			t.Errorf("%s: %s %t", c.toml, u, got.Secure())
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := Load(Options{Path: file(t, "database.driver = \"mysql\"\ndatabase.dsn = \"u:hunter2@tcp(db:3306)/m\"\nsignup.mode = \"invite\"\nsignup.invite_codes = [\"hunter2-hunter2\"]"), Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Database.DSN.Reveal() != "u:hunter2@tcp(db:3306)/m" || c.Signup.InviteCodes[0].Reveal() != "hunter2-hunter2" {
		t.Fatalf("%+v", c)
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%s %q %v", c.Database.DSN, c.Database.DSN, &c.Database.DSN), string(j)} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("shows a secret: %s", shown)
		}
	}
	if err := os.Chmod(c.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(c.Warnings(), "\n"); !strings.Contains(w, "chmod 0600") || strings.Contains(w, "hunter2") {
		t.Errorf("warnings: %s", w)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"100G": 100 << 30, "64MiB": 64 << 20, "1k": 1024, "7": 7, "0": 0, "1.5G": 3 << 29} {
		var s, again Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s is written %s and read as %d", text, s, again)
		}
	}
	for _, text := range []string{"", "-1", "G", "1X", "1e30T", "NaN"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d", text, s)
		}
	}
}

// Whatever stands in the file, there is an answer and no panic, and what loads
// obeys the bounds.
func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"good", "bad"} {
		files, _ := filepath.Glob(filepath.Join(contrib, "samples", glob, "*.toml"))
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{Path: path, Environ: []string{}})
		if err != nil {
			if !fault.Is(err, fault.Invalid) || len(fault.As(err).Fields) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		if c.Session.PerUser < 1 || c.Session.PerUser > c.Session.MaxConcurrent || c.Domain == "" || !filepath.IsAbs(c.Socket) {
			t.Fatalf("%+v", c)
		}
	})
}
