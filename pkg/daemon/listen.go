package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
)

// listenPublic opens the public listener.
func listenPublic(c config.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", c.HTTP.Listen)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/listen",
			"The public listener %s cannot be opened. See who has it (ss -ltnp), or set another http.listen.", c.HTTP.Listen)
	}
	if !c.TLS() {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(c.HTTP.TLSCert, c.HTTP.TLSKey)
	if err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Invalid, "daemon/certificate",
			"The certificate %s with the key %s cannot be used.", c.HTTP.TLSCert, c.HTTP.TLSKey), l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}), nil
}

// servers are the listeners' HTTP servers.
type servers []*http.Server

// serve starts both; one that ends by itself is told to failed.
func (d *Daemon) serve(failed chan<- error) servers {
	h := d.cfg.HTTP
	newServer := func(handler http.Handler) *http.Server {
		return &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: h.ReadHeaderTimeout,
			IdleTimeout:       h.IdleTimeout,
			MaxHeaderBytes:    int(h.MaxHeader),
			ErrorLog:          quiet(d.logger),
		}
	}
	socket := newServer(d.api.Socket())
	socket.ConnContext = httpapi.PeerContext
	public := newServer(d.proxy)
	for s, l := range map[*http.Server]net.Listener{socket: d.socket, public: d.public} {
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	return servers{socket, public}
}

// shutdown lets requests end for the grace, then cuts what is left: streams
// and logs that are followed never end by themselves.
func (s servers) shutdown(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	errs := make(chan error, len(s))
	for _, srv := range s {
		go func() {
			err := srv.Shutdown(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				err = srv.Close()
			}
			errs <- err
		}()
	}
	var all []error
	for range s {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// main serves MedForge's own hosts.
func (d *Daemon) main() http.Handler { return d.api.Public() }

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
