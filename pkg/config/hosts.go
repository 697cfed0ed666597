package config

import (
	"net"
	"strings"
)

// Host is where the web page and the API answer.
func (c Config) Host() string { return "medforge." + c.Domain }

// APIHost is where the API alone answers.
func (c Config) APIHost() string { return "api.medforge." + c.Domain }

// SessionHost is where a session's IDE answers.
func (c Config) SessionHost(slug string) string { return "s-" + slug + "." + c.Host() }

// URL is a host's address as people reach it, without a path:
// "https://medforge.example.org", "http://medforge.localhost:8080".
func (c Config) URL(host string) string {
	s, port := c.external()
	if port == "" {
		return s + "://" + host
	}
	return s + "://" + net.JoinHostPort(host, port)
}

// Secure reports whether people reach MedForge by https, so that cookies can
// be Secure and __Host-.
func (c Config) Secure() bool {
	s, _ := c.external()
	return s == "https"
}

// TLS reports whether the listener speaks TLS itself.
func (c Config) TLS() bool { return c.HTTP.TLSCert != "" || c.ACME.DNSProvider != "" }

// external returns the scheme, and the port when it is not the scheme's own.
func (c Config) external() (scheme, port string) {
	if c.HTTP.External != "" {
		scheme, port, _ = strings.Cut(c.HTTP.External, ":")
	} else {
		scheme = "http"
		if c.TLS() {
			scheme = "https"
		}
		_, port, _ = net.SplitHostPort(c.HTTP.Listen)
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	return scheme, port
}

func scheme(external string) string {
	s, _, _ := strings.Cut(external, ":")
	return s
}
