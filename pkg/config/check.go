package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/medforge/medforge/pkg/fault"
)

// Check reads the file as the daemon would, with the environment, and writes
// what it found: every mistake, or that all is well and what deserves a second
// look. The error is Load's; a caller need not print it again.
func Check(path string, w io.Writer) error {
	return CheckWith(Options{Path: path}, w)
}

// CheckWith is Check with the environment and flags of the caller.
func CheckWith(o Options, w io.Writer) error {
	c, err := Load(o)
	if f := fault.As(err); f != nil {
		for _, m := range f.Fields {
			fmt.Fprintf(w, "%s: %s\n", m.Loc, m.Msg)
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, warning := range c.Warnings() {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	name := c.Path
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		name = fmt.Sprintf("The defaults, since there is no %s", name)
	}
	_, err = fmt.Fprintf(w, "%s: no mistakes. MedForge will be at %s\n", name, c.URL(c.Host()))
	return err
}

// Warnings are what is allowed and may not be meant.
func (c Config) Warnings() []string {
	var found []string
	say := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	say(!c.Secure() && !loopback(c.HTTP.Listen), "http.listen = %q is reachable from the network without TLS, so passwords cross it in the clear; set http.tls_cert and http.tls_key, or listen on 127.0.0.1 behind a proxy", c.HTTP.Listen)
	say(c.Secure() && !c.TLS() && len(c.HTTP.TrustedProxies) == 0, "http.external says that a proxy stands in front, and http.trusted_proxies names none, so every visitor seems to come from the proxy's address")
	say(c.Domain != "localhost" && !c.Secure(), "domain = %q is served by plain http; browsers keep some features, such as the clipboard, for https", c.Domain)
	say(c.Workspace.Driver == WorkspaceDir && c.Workspace.Quota > 0, "workspace.driver = \"dir\" does not enforce workspace.quota")
	say(c.GPU.Driver == GPUSimulated, "gpu.driver = \"simulated\" gives sessions no GPU")
	if info, err := os.Stat(c.Path); err == nil && c.secretInFile {
		say(info.Mode().Perm()&0o077 != 0, "%s holds secrets and is readable for others than root; chmod 0600 it", c.Path)
	}
	return found
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
