package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/medforge/medforge/pkg/fault"
)

// ACMEOptions are what certificates by ACME (RFC 8555) take.
type ACMEOptions struct {
	// Names are asked for one by one; a wildcard among them needs DNS-01, which
	// is the only challenge that is used.
	Names     []string
	Directory string // the authority's URL
	Email     string // of the account; may be empty
	// CAFile holds what the directory's own certificate is checked with; empty:
	// the system's.
	CAFile string
	// Dir keeps account, keys and certificates, for root alone.
	Dir string
	// DNS puts the challenge's record where the authority looks for it.
	DNS DNS
	// Resolvers are asked where the zone begins and whether the record is
	// there: "192.0.2.53:53". Empty: the host's own, and the zone's servers.
	Resolvers []string
	Logger    *slog.Logger

	renewCheck time.Duration // how often it is asked what has to be renewed; 0 is ten minutes
}

// DNS is a provider of DNS in the form of libdns.
type DNS = certmagic.DNSProvider

// ACME has certificates made and renewed.
type ACME struct {
	names []string
	cache *certmagic.Cache
	magic *certmagic.Config
}

// OpenACME begins with what Dir has kept; Run gets the rest. Errors: Invalid
// (CAFile), Unavailable (Dir).
func OpenACME(o ACMEOptions) (*ACME, error) {
	roots, err := readRoots(o.CAFile)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/certificate", "The folder %s for certificates cannot be made.", o.Dir)
	}
	logger := toZap(o.Logger)
	a := &ACME{names: o.Names}
	a.cache = certmagic.NewCache(certmagic.CacheOptions{Logger: logger, RenewCheckInterval: o.renewCheck,
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil }})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: o.Dir}, DefaultServerName: o.Names[0], Logger: logger,
		// Stapling is a call to the authority for every certificate, and most
		// authorities have ended OCSP.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	a.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{
		CA: o.Directory, Email: o.Email, Agreed: true, TrustedRoots: roots, Logger: logger,
		DisableHTTPChallenge: true, DisableTLSALPNChallenge: true,
		DNS01Solver: &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
			DNSProvider: o.DNS, TTL: time.Minute, Resolvers: o.Resolvers, Logger: logger,
		}},
	})}
	return a, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fault.Wrap(err, fault.Invalid, "daemon/certificate", "acme.ca_file = %q is no file with certificates in PEM.", file)
	}
	return roots, nil
}

// Run gets what is missing, and renews, until ctx ends. A failure is logged and
// tried again with growing waits; meanwhile the old certificate is served.
func (a *ACME) Run(ctx context.Context) {
	defer a.cache.Stop()
	// One name first: two that are asked for together before there is an account
	// make one each, only one is kept, and the authority refuses to renew what the
	// other has got.
	a.manage(ctx, a.names[:1])
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(a.names) > 1 && len(a.cache.AllMatchingCertificates(probe(a.names[0]))) == 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	a.manage(ctx, a.names[1:])
	<-ctx.Done()
}

func (a *ACME) manage(ctx context.Context, names []string) {
	if err := a.magic.ManageAsync(ctx, names); err != nil {
		a.magic.Logger.Error("certificates are not managed", zap.Strings("names", names), zap.Error(err))
	}
}

// Certificate is tls.Config.GetCertificate.
func (a *ACME) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.magic.GetCertificate(hello)
}

// NotAfter is when the first of the certificates expires; zero while one of
// them is missing.
func (a *ACME) NotAfter() (first time.Time) {
	for _, name := range a.names {
		found := a.cache.AllMatchingCertificates(probe(name))
		if len(found) == 0 {
			return time.Time{}
		}
		var last time.Time // of this name: a renewed one stands beside the old for a moment
		for _, c := range found {
			if c.Leaf != nil && c.Leaf.NotAfter.After(last) {
				last = c.Leaf.NotAfter
			}
		}
		if first.IsZero() || last.Before(first) {
			first = last
		}
	}
	return first
}
