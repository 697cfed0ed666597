package daemon

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/webpage"
)

// What the public listener needs of the daemon's parts.

// webPage is the page of these files, web.Files: what this program carries. In one
// built by Go alone they are nil, and the API's own sign-in form stands in.
func (d *Daemon) webPage(files fs.FS) (http.Handler, error) {
	if files == nil {
		d.logger.Info("the web page is not in this medforged, which was built by Go alone; sh scripts/build builds it with the page")
		return nil, nil
	}
	return webpage.New(files)
}

// checkVisitor is the gate of a session's host, for a proxy in front.
func (d *Daemon) checkVisitor(host string, h http.Header) error {
	_, err := d.proxy.Check(host, h)
	return err
}

// upstream is where a proxy on this host reaches the listener.
func upstream(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen // the configuration was checked
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// endSessionHosts ends the cookies of a session's host when the session is
// over. Until it hears of it they open nothing: the proxy asks whether the
// session runs.
func (d *Daemon) endSessionHosts(ctx context.Context) {
	over := func(e event.Event) bool { return e.Type == event.SessionStop && e.SessionID != "" }
	for ctx.Err() == nil {
		for e := range d.bus.Subscribe(ctx, 0, over).C {
			bounded, cancel := context.WithTimeout(ctx, shutdownSlack)
			if err := d.accounts.EndSessionHost(bounded, e.SessionID); err != nil {
				d.logger.Warn("cookies of an ended session's host are tried again later", "session", e.SessionID, "error", err)
			}
			cancel()
		}
		select { // it was too slow, or the bus is closed: not at once again
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// hosts are the names of the public listener, as people reach them.
func (d *Daemon) hosts() proxy.Hosts {
	_, port, _ := net.SplitHostPort(hostOf(d.cfg.URL(d.cfg.Host())))
	return proxy.Hosts{Domain: d.cfg.Domain, Secure: d.cfg.Secure(), Port: port}
}

// sessionViews shows the session service's memory to the proxy.
type sessionViews struct{ s *session.Service }

func (v sessionViews) BySlug(slug string) (proxy.View, bool) {
	s, ok := v.s.BySlug(slug)
	status := "stopping"
	switch {
	case s.Running:
		status = "running"
	case s.Starting:
		status = "starting"
	}
	return proxy.View{ID: s.ID, UserID: s.UserID, Slug: s.Slug, Running: s.Running, Status: status, Done: s.Done}, ok
}

// tickets makes one-time links to sessions that can be opened.
type tickets struct{ d *Daemon }

// Issue errors: Conflict (the session does not run), and account.Ticket's.
func (t tickets) Issue(ctx context.Context, a auth.Actor, s session.Session) (string, time.Time, error) {
	if s.Status != session.Running {
		return "", time.Time{}, fault.New(fault.Conflict, "sessions/not-running",
			"Session %s is %s, so there is nothing to open. The command medforge session show %s says more.", s.Slug, s.Status, s.Slug)
	}
	ticket, expires, err := t.d.accounts.Ticket(ctx, a, s.ID, s.UserID)
	if err != nil {
		return "", time.Time{}, err
	}
	return t.d.hosts().TicketURL(s.Slug, ticket, "/"), expires, nil
}

// authenticator finds out who calls on the public listener.
type authenticator struct {
	accounts *account.Service
	secure   bool
}

func (a authenticator) Authenticate(r *http.Request) (auth.Grant, error) {
	return a.accounts.Authenticate(r, a.secure)
}
