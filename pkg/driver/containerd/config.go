package containerd

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/containerd/logdriver"
	"github.com/medforge/medforge/pkg/driver/containerd/network"
)

// Defaults of Config.
const (
	DefaultAddress   = "/run/containerd/containerd.sock"
	DefaultNamespace = "medforge"
	DefaultRunDir    = "/run/medforge-containerd"
)

// Config says how to reach containerd and what goes into sessions. Zero fields
// take the defaults, except where the comment says otherwise.
type Config struct {
	// Address is containerd's socket.
	Address string
	// Namespace is the containerd namespace; all that is in it is ours.
	Namespace string
	// Snapshotter keeps images' and sessions' root file systems. Empty:
	// overlayfs.
	Snapshotter string
	// RunDir keeps what lives as long as the host runs: sessions' hosts and
	// resolv.conf files, and, unless Network names another folder, their
	// networks.
	RunDir string
	// LogDir keeps sessions' logs, SLUG.log and SLUG.log.1. Needed.
	LogDir string
	// LogMaxBytes is the size of each of the two. 0: 5 MiB.
	LogMaxBytes int64
	// LogProgram is the absolute path of a program whose main calls
	// logdriver.Main first. Needed.
	LogProgram string
	// CLIPath is the host's medforge program, mounted read-only at
	// /usr/local/bin/medforge. Empty: sessions have none.
	CLIPath string
	// ShmBytes is the size of /dev/shm in a session, where half of the session's
	// memory limit is not less. 0: 8 GiB.
	ShmBytes int64
	// Devices finds the CDI specs of sessions' devices. Nil: those in /etc/cdi
	// and /var/run/cdi.
	Devices *cdi.Registry
	// RuncRoot keeps runc's state. Empty: containerd's own choice. Tests use
	// it so that nothing of theirs is outside their folder.
	RuncRoot string
	Network  network.Config
	Logger   *slog.Logger
	Now      func() time.Time
}

// withDefaults returns the configuration with what was left out, or says what
// is wrong.
func (c Config) withDefaults() (Config, error) {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&c.Address, DefaultAddress)
	set(&c.Namespace, DefaultNamespace)
	set(&c.RunDir, DefaultRunDir)
	set(&c.Network.RunDir, filepath.Join(c.RunDir, "net"))
	if c.ShmBytes == 0 {
		c.ShmBytes = shmDefault
	}
	if c.LogMaxBytes == 0 {
		c.LogMaxBytes = logdriver.DefaultMaxBytes
	}
	if c.Devices == nil {
		c.Devices = cdi.New([]string{"/etc/cdi", "/var/run/cdi"}, "")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Network.Logger == nil {
		c.Network.Logger = c.Logger
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for name, path := range map[string]string{"run directory": c.RunDir, "log directory": c.LogDir, "log program": c.LogProgram} {
		if !filepath.IsAbs(path) {
			return c, fmt.Errorf("the container driver's %s %q is not an absolute path", name, path)
		}
	}
	for _, program := range []string{c.LogProgram, c.CLIPath} {
		if program == "" {
			continue
		}
		st, err := os.Stat(program)
		if err != nil {
			return c, fmt.Errorf("the container driver needs the program %s: %w", program, err)
		}
		if !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
			return c, fmt.Errorf("the container driver needs the program %s, which is not executable", program)
		}
	}
	if c.LogMaxBytes < 4096 {
		return c, fmt.Errorf("a log of %d bytes is too small to be of use; at least 4096", c.LogMaxBytes)
	}
	return c, nil
}
