package daemon

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/medforge/medforge/pkg/daemon/certs"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/proxy"
)

// servers are the listeners' HTTP servers.
type servers []*server

// maxServers is how many there can be.
const maxServers = 4

// serve starts them; one that ends by itself is told to failed.
func (d *Daemon) serve(failed chan<- error) servers {
	h := d.cfg.HTTP
	newHTTP := func(handler http.Handler) *http.Server {
		return &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: h.ReadHeaderTimeout,
			IdleTimeout:       h.IdleTimeout,
			MaxHeaderBytes:    int(h.MaxHeader),
			ErrorLog:          quiet(d.logger),
		}
	}
	socket, public := newHTTP(d.requests.Handler("socket", d.api.Socket())), newHTTP(d.publicHandler())
	socket.ConnContext = httpapi.PeerContext
	all := servers{newServer(socket, d.socket), newServer(public, d.public)}
	all[1].listener = proxy.Quick(public, d.public, d.proxy.Plain)
	if d.redirect != nil {
		all = append(all, newServer(newHTTP(certs.Redirect(d.toHTTPS)), d.redirect))
	}
	if d.metricsListener != nil {
		all = append(all, newServer(newHTTP(d.metricsHandler()), d.metricsListener))
	}
	for _, s := range all {
		go func() {
			if err := s.serve(); err != nil {
				failed <- err
			}
		}()
	}
	return all
}

// shutdown lets requests end for the grace, then cuts what is left.
func (s servers) shutdown(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	errs := make(chan error, len(s))
	for _, srv := range s {
		go func() { errs <- srv.shutdown(ctx) }()
	}
	var all []error
	for range s {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// answers asks the daemon itself over its own socket.
func (d *Daemon) answers(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", d.cfg.Socket)
	if err != nil {
		return false
	}
	_ = c.Close()
	// The drives and the store are behind this lock.
	d.sessions.Health()
	return ctx.Err() == nil
}

// hostOf is an URL's host with its port.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// quiet sends net/http's own complaints, which strangers cause, to the log at
// its lowest level.
func quiet(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
