package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/daemon/certs"
	"github.com/medforge/medforge/pkg/daemon/observe"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
)

// certificates are where the public listener's certificate comes from.
type certificates interface {
	// Certificate is tls.Config.GetCertificate.
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// NotAfter is when what is served expires; zero while there is none.
	NotAfter() time.Time
	// Run keeps it fresh until ctx ends.
	Run(ctx context.Context)
}

// listenEdge opens what strangers reach.
func (d *Daemon) listenEdge(ctx context.Context, in inherited) (err error) {
	if d.public, err = in.listenTCP(ctx, storedPublic, d.cfg.HTTP.Listen, "http.listen"); err != nil {
		return err
	}
	d.undo.push(ignoreClosed(d.public.Close))
	if d.cfg.TLS() {
		if d.certs, err = openCertificates(d); err != nil {
			return err
		}
		d.public = tls.NewListener(d.public, certs.Config(d.certs.Certificate, tlsVersion(d.cfg.HTTP.TLSMinVersion)))
	}
	if address := d.cfg.Metrics.Listen; address != "" {
		if d.metricsListener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return fault.Wrap(err, fault.Unavailable, "daemon/listen",
				"The listener for Prometheus, %s, cannot be opened. See who has it (ss -ltnp), or set another metrics.listen.", address)
		}
		d.undo.push(ignoreClosed(d.metricsListener.Close))
	}
	address := d.cfg.HTTP.RedirectListen
	if address == "" {
		in.stored(ctx, storedRedirect, "") // gives up what an earlier configuration had
		return nil
	}
	if d.redirect, err = in.listenTCP(ctx, storedRedirect, address, "http.redirect_listen"); err != nil {
		return err
	}
	d.undo.push(ignoreClosed(d.redirect.Close))
	return nil
}

func openCertificates(d *Daemon) (certificates, error) {
	a := d.cfg.ACME
	if a.DNSProvider == "" {
		return certs.OpenFiles(d.cfg.HTTP.TLSCert, d.cfg.HTTP.TLSKey, certificateNames(d.cfg), d.logger)
	}
	return certs.OpenACME(certs.ACMEOptions{
		Names: certificateNames(d.cfg), Directory: a.Directory, Email: a.Email, CAFile: a.CAFile,
		Dir: d.cfg.ACMEDir(), DNS: openDNS(a), Resolvers: a.Resolvers, Logger: d.logger,
	})
}

func openDNS(a config.ACME) certs.DNS {
	switch a.DNSProvider {
	case config.DNSCloudflare:
		return certs.NewCloudflare(a.Token.Reveal(), "")
	case config.DNSDigitalOcean:
		return certs.NewDigitalOcean(a.Token.Reveal(), "")
	}
	return certs.RFC2136{Server: a.RFC2136Server, KeyName: a.RFC2136KeyName, Algorithm: a.RFC2136Algorithm, Secret: a.RFC2136Key.Reveal()}
}

// certificateNames are what the certificate has to cover.
func certificateNames(c config.Config) []string { return []string{c.Host(), "*." + c.Host()} }

// renewBefore is when a certificate should have been renewed: ACME does it when
// a third of its life is left, 30 days with Let's Encrypt.
const renewBefore = 14 * 24 * time.Hour

// certificateState errors: Unavailable (there is none yet), Conflict (it
// expires soon, or has).
func certificateState(c certificates, now time.Time) (string, error) {
	switch end := c.NotAfter(); {
	case end.IsZero():
		return "", fault.New(fault.Unavailable, "daemon/no-certificate",
			"ACME has not made the certificate yet, so nobody can come by https. The log says how far it is: journalctl -u medforged | grep acme")
	case now.After(end):
		return "", fault.New(fault.Conflict, "daemon/certificate-expires",
			"The certificate has expired at %s. Replace its files; ACME's log says why it was not renewed.", end.UTC().Format(time.RFC3339))
	case end.Sub(now) < renewBefore:
		return "", fault.New(fault.Conflict, "daemon/certificate-expires",
			"The certificate expires at %s and was not renewed. Replace its files; ACME's log says why.", end.UTC().Format(time.RFC3339))
	default:
		return "until " + end.UTC().Format(time.RFC3339), nil
	}
}

func tlsVersion(configured string) uint16 {
	if configured == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// toHTTPS is where a host of ours is reached by https.
func (d *Daemon) toHTTPS(host string) (origin string, ok bool) {
	hosts := d.hosts()
	switch kind, slug := hosts.Parse(host); kind {
	case proxy.Main:
		return hosts.MainOrigin(), true
	case proxy.API:
		return d.cfg.URL(d.cfg.APIHost()), true
	case proxy.Session:
		return hosts.SessionOrigin(slug), true
	}
	return "", false
}

// publicHandler is everything that the public listener answers.
func (d *Daemon) publicHandler() http.Handler {
	return d.requests.Handler("public", hsts(d.cfg, d.proxy))
}

// observe makes what watches the daemon, before anything that it watches.
func (d *Daemon) observe() {
	d.metrics = observe.NewMetrics(d.version, d.logger)
	d.requests = &observe.Requests{Logger: d.logger, Log: d.cfg.Log.Requests, Metrics: d.metrics,
		Client: proxy.Trusted(d.cfg.HTTP.TrustedProxies).ClientAddr}
}

// state is what Prometheus gets of the daemon's parts.
func (d *Daemon) state() observe.State {
	s := observe.State{
		Sessions: func(ctx context.Context) ([]session.Session, error) {
			return d.store.Sessions().List(ctx, session.Filter{Statuses: []session.Status{session.Starting, session.Running, session.Stopping}})
		},
		Sample:   d.sessions.Sample,
		Queue:    d.store.Competitions().QueueDepth,
		Degraded: d.sessions.Health,
	}
	if d.certs != nil {
		s.NotAfter = d.certs.NotAfter
	}
	return s
}

// metricsHandler is the separate listener's: metrics and nothing else.
func (d *Daemon) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+api.PathMetrics, d.metrics.Handler())
	return d.requests.Handler("metrics", mux)
}

// hsts has browsers come by https only (RFC 6797). MedForge's host and all
// below it are MedForge's alone, so it is said for all of them.
func hsts(c config.Config, next http.Handler) http.Handler {
	if !c.Secure() || c.HTTP.HSTS == 0 {
		return next
	}
	value := []string{fmt.Sprintf("max-age=%d; includeSubDomains", int64(c.HTTP.HSTS.Seconds()))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Strict-Transport-Security"] = value
		next.ServeHTTP(w, r)
	})
}

// edgeListeners are the ones beside the unix socket, for the log.
func (d *Daemon) edgeListeners() (addresses []string) {
	for _, l := range []net.Listener{d.public, d.redirect, d.metricsListener} {
		if l != nil {
			addresses = append(addresses, l.Addr().String())
		}
	}
	return addresses
}
