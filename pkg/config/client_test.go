package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/medforge/medforge/pkg/fault"
)

func TestLoadClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		env, args  []string
		want       Client
	}{
		{"nothing", "", nil, nil, Client{Socket: daemonSocket, Output: "table"}},
		{"file", "server = \"https://MedForge.Example.org/\"\noutput = \"json\"\nno_color = true", nil, nil,
			Client{Server: "https://medforge.example.org", Output: "json", NoColor: true}},
		{"environment over file", `server = "https://a.example"`, []string{"MEDFORGE_SOCKET=/s"}, nil, Client{Socket: "/s", Output: "table"}},
		{"flag over environment", `socket = "/f"`, []string{"MEDFORGE_SOCKET=/s", "MEDFORGE_OUTPUT=json"}, []string{"--server", "http://localhost:8080", "-o", "table"},
			Client{Server: "http://localhost:8080", Output: "table"}},
		{"in a session", "", []string{"MEDFORGE_SESSION_ID=x", "MEDFORGE_TIER=public", "MEDFORGE_GPU_ID=0", "NO_COLOR=1"}, nil,
			Client{Socket: sessionSocket, Output: "table", NoColor: true}},
		{"quiet", "", nil, []string{"-q", "--no-color"}, Client{Socket: daemonSocket, Output: "table", NoColor: true, Quiet: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := clientIn(t, c.file, c.env, c.args)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestLoadClientMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, env, want string }{
		{"socket = \"/s\"\nserver = \"https://a.example\"", "", "config.toml:2: server: socket and server are both set"},
		{`servr = "https://a.example"`, "", "config.toml:1: servr: no setting has this name; did you mean server?"},
		{`server = "medforge.example.org"`, "", "config.toml:1: server: expected an address"},
		{`server = "https://u:hunter2@a.example"`, "", "config.toml:1: server: expected an address"},
		{"", "MEDFORGE_OUTPUT=yaml", "environment MEDFORGE_OUTPUT: output: expected one of \"table\", \"json\""},
		{`no_color = "yes"`, "", "config.toml:1: no_color: expected true or false"},
	} {
		_, err := clientIn(t, c.file, []string{c.env}, nil)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %s: %v", c.file, c.env, err)
		}
	}
}

// clientIn loads with a home of its own.
func clientIn(t *testing.T, content string, env, args []string) (Client, error) {
	t.Helper()
	home := t.TempDir()
	if content != "" {
		dir := filepath.Join(home, ".config", "medforge")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := pflag.NewFlagSet("medforge", pflag.ContinueOnError)
	flags.String("socket", "", "")
	flags.String("server", "", "")
	flags.StringP("output", "o", "table", "")
	flags.Bool("no-color", false, "")
	flags.BoolP("quiet", "q", false, "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return LoadClient(ClientOptions{Environ: append([]string{"HOME=" + home}, env...), Flags: flags})
}

// The server that was signed in to last is the weakest choice, and none inside
// a session.
func TestLoadClientSignedIn(t *testing.T) {
	t.Parallel()
	const last = "https://medforge.example.org"
	for _, c := range []struct {
		name string
		env  []string
		want Client
	}{
		{"nothing else", nil, Client{Server: last, Output: "table"}},
		{"a socket", []string{"MEDFORGE_SOCKET=/s"}, Client{Socket: "/s", Output: "table"}},
		{"another server", []string{"MEDFORGE_SERVER=https://b.example"}, Client{Server: "https://b.example", Output: "table"}},
		{"in a session", []string{"MEDFORGE_SESSION_ID=x"}, Client{Socket: sessionSocket, Output: "table"}},
	} {
		got, err := LoadClient(ClientOptions{Environ: append([]string{"HOME=" + t.TempDir()}, c.env...), SignedIn: last})
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}
