package config

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Client is the command line's configuration.
type Client struct {
	// Socket is the daemon's socket; empty when Server is set.
	Socket string `mapstructure:"socket"`
	// Server is MedForge's address, "https://medforge.example.org", without a
	// path; empty when Socket is used.
	Server  string `mapstructure:"server"`
	Output  string `mapstructure:"output"` // OutputTable or OutputJSON
	NoColor bool   `mapstructure:"no_color"`
	Quiet   bool   `mapstructure:"quiet"`
}

// The outputs.
const (
	OutputTable = "table"
	OutputJSON  = "json"
)

const (
	clientPrefix  = "MEDFORGE_"
	daemonSocket  = "/run/medforge/medforged.sock"
	sessionSocket = "/run/medforge/api.sock"
)

func clientKeys() []key {
	return []key{
		{"socket", "", path{optional: true, max: 107}, "The daemon's socket, on its own host. Empty: " + daemonSocket + ", and inside a session that session's own."},
		{"server", "", server{}, "MedForge's address, from elsewhere. Without it and socket, the one that medforge login signed in to."},
		{"output", OutputTable, choice{OutputTable, OutputJSON}, "How results are printed."},
		{"no_color", false, boolean{}, "Never colours. NO_COLOR in the environment says the same."},
		{"quiet", false, boolean{}, "No progress."},
	}
}

// server is an address without a path; a final slash is dropped.
type server struct{}

func (server) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" {
		return s, ""
	}
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if !ok || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
		u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, "an address such as \"https://medforge.example.org\", without a path"
	}
	return strings.ToLower(u.String()), ""
}

// ClientOptions say where the command line's settings come from.
type ClientOptions struct {
	// Path is the TOML file; empty takes ClientPath, which need not be there.
	Path string
	// Environ as in Options. Variables that no setting has are left alone:
	// sessions have some of their own.
	Environ []string
	// SignedIn is the server that the person signed in to last: used where
	// neither socket nor server is set, but not inside a session.
	SignedIn string
	// Flags may be nil. --socket, --server, --output, --no-color and --quiet
	// count when they were given.
	Flags *pflag.FlagSet
}

// ClientPath is the person's own configuration: medforge/config.toml in
// XDG_CONFIG_HOME or ~/.config. Empty when there is no home.
func ClientPath(environ []string) string {
	if dir := lookupEnv(environ, "XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "medforge", "config.toml")
	}
	if home := lookupEnv(environ, "HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "medforge", "config.toml")
	}
	return ""
}

// LoadClient reads the command line's configuration. Of socket and server the
// one from the stronger source is used. Its errors are Load's.
func LoadClient(o ClientOptions) (Client, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	from := source{path: o.Path, environ: o.Environ, prefix: clientPrefix, flags: o.Flags}
	if from.path == "" {
		from.path, from.optional = ClientPath(o.Environ), true
	}
	c, places, mistakes := load(clientKeys(), from, func(Client) []rule { return nil })
	socket, server := places["socket"], places["server"]
	if c.Socket != "" && c.Server != "" && socket.from == server.from {
		mistakes = append(mistakes, mistake{server, "contradiction", "socket and server are both set; keep the one that is meant"})
	}
	if err := asError(mistakes); err != nil {
		return Client{}, err
	}
	switch {
	case c.Server != "" && (c.Socket == "" || server.from > socket.from):
		c.Socket = ""
	case c.Socket != "":
		c.Server = ""
	case lookupEnv(o.Environ, "MEDFORGE_SESSION_ID") != "":
		c.Socket = sessionSocket
	case o.SignedIn != "":
		c.Server = o.SignedIn
	default:
		c.Socket = daemonSocket
	}
	c.NoColor = c.NoColor || lookupEnv(o.Environ, "NO_COLOR") != ""
	return c, nil
}

// lookupEnv finds a variable; of several the last counts, as in os/exec.
func lookupEnv(environ []string, name string) string {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}
