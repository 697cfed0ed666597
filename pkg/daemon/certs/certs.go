// Package certs gives the public listener its certificate: from files, which
// are read anew when they change, or by ACME.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Config is the listener's TLS configuration around a source of certificates.
// minimum is tls.VersionTLS12 or higher. HTTP/2 is offered: an IDE's page asks
// for hundreds of files, and HTTP/1.1 gives a browser six connections for them.
// WebSockets come on an HTTP/1.1 connection of their own.
func Config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), minimum uint16) *tls.Config {
	return &tls.Config{MinVersion: minimum, GetCertificate: get, NextProtos: []string{"h2", "http/1.1"}}
}

// weaknesses says what is not well with a certificate that can be served.
func weaknesses(leaf *x509.Certificate, names []string, now time.Time) (found []string) {
	switch {
	case now.After(leaf.NotAfter):
		found = append(found, "it has expired at "+leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		found = append(found, "it is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	for _, name := range names {
		if err := leaf.VerifyHostname(probe(name)); err != nil {
			found = append(found, fmt.Sprintf("it does not cover %s", name))
		}
	}
	return found
}

// probe is a host name that the name of a certificate must cover.
func probe(name string) string {
	if len(name) > 2 && name[:2] == "*." {
		return "s-aaaaaaaa." + name[2:]
	}
	return name
}
