package daemon

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
)

// services builds everything between the drivers and the listeners.
func (d *Daemon) services(ctx context.Context, o Options) (err error) {
	audit, err := d.store.Audit()
	if err != nil {
		return err
	}
	d.bus = event.NewBus(event.Options{Out: o.Stdout, Audit: audit.AppendEvents, Logger: d.logger})
	d.undo.push(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownSlack)
		defer cancel()
		return d.bus.Close(ctx)
	})
	if d.accounts, err = d.newAccounts(ctx); err != nil {
		return err
	}
	if d.contests, err = d.openCompetitions(ctx); err != nil {
		return err
	}
	d.sessions = session.NewService(session.Options{
		Runtime: d.drivers.runtime, Packs: d.drivers.runtime, Workspaces: d.drivers.workspaces,
		GPUs: d.drivers.gpus, Sockets: d.drivers.sockets, Store: d.store.Sessions(),
		Publish:        func(e event.Event) { d.bus.Publish(e) },
		Listening:      d.bus.Listening,
		UserLimit:      d.userLimit,
		ServeAPI:       d.serveSession,
		MaxConcurrent:  d.cfg.Session.MaxConcurrent,
		PackName:       d.cfg.Session.Pack,
		StartTimeout:   d.cfg.Session.StartTimeout,
		StopGrace:      d.cfg.Session.StopGrace,
		GPUIdleTimeout: d.cfg.GPU.IdleTimeout,
		SampleInterval: d.cfg.GPU.SampleInterval,
		Limits:         sessionLimits(d.cfg.Session, thisHost()),
		WatchSpace:     d.cfg.Workspace.Driver == config.WorkspaceZFS,
		Logger:         d.logger,
	})
	trusted := proxy.Trusted(d.cfg.HTTP.TrustedProxies)
	d.proxy = proxy.New(proxy.Options{
		Hosts:    d.hosts(),
		Sessions: sessionViews{d.sessions},
		Dialer:   d.drivers.sockets,
		Keys:     d.accounts,
		Main:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.main().ServeHTTP(w, r) }),

		ClientAddr: trusted.ClientAddr,
		Logger:     d.logger,
	})
	d.api, err = httpapi.New(httpapi.Options{
		Sessions: d.sessions, Accounts: d.accounts, Tickets: tickets{d}, Events: d.bus,
		Competitions: d.contests,
		Doctor:       d.doctor,
		Backup:       d.backup,
		SocketActor:  d.accounts.UnixUser,
		Public:       authenticator{d.accounts, d.cfg.Secure()},
		Secure:       d.cfg.Secure(),
		ClientAddr:   trusted.ClientAddr,
		TrustedProxy: trusted.Sent,
		SessionProxy: httpapi.SessionProxy{Check: d.checkVisitor, Upstream: upstream(d.cfg.HTTP.Listen)},
		BaseURL:      d.cfg.URL(d.cfg.Host()),
		Origins:      []string{d.cfg.URL(d.cfg.Host())},
		SessionURL:   func(slug string) string { return d.cfg.URL(d.cfg.SessionHost(slug)) + "/" },
		Logger:       d.logger,
	})
	return err
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

func (d *Daemon) newAccounts(ctx context.Context) (*account.Service, error) {
	var invites []string
	for _, code := range d.cfg.Signup.InviteCodes {
		invites = append(invites, code.Reveal())
	}
	return account.New(ctx, account.Options{
		Store: d.store.Accounts(), SignUp: account.SignUpMode(d.cfg.Signup.Mode), Invites: invites,
		Idle: d.cfg.Auth.IdleLifetime, Absolute: d.cfg.Auth.AbsoluteLifetime,
		Publish: d.bus.Publish, Logger: d.logger,
	})
}

// userLimit is the account's own number of sessions, or the host's.
func (d *Daemon) userLimit(ctx context.Context, userID string) (int, error) {
	u, err := d.accounts.User(ctx, userID)
	if err != nil {
		return 0, err
	}
	if u.SessionLimit > 0 {
		return u.SessionLimit, nil
	}
	return d.cfg.Session.PerUser, nil
}

// serveSession serves the socket inside one session: whoever calls there is
// its owner, with a session's rights.
func (d *Daemon) serveSession(l net.Listener, s session.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownSlack)
	u, err := d.accounts.User(ctx, s.UserID)
	cancel()
	if err != nil {
		d.logger.Error("session's owner not found; its api socket stays closed", "session", s.ID, "error", err)
		_ = l.Close()
		return
	}
	owner := auth.Actor{UserID: u.ID, Name: u.Name, Role: auth.RoleUser}
	srv := &http.Server{
		Handler:           d.api.Session(owner, s.ID),
		ReadHeaderTimeout: d.cfg.HTTP.ReadHeaderTimeout,
		IdleTimeout:       d.cfg.HTTP.IdleTimeout,
		MaxHeaderBytes:    int(d.cfg.HTTP.MaxHeader),
		ErrorLog:          quiet(d.logger),
	}
	_ = srv.Serve(l) // ends when the session's listener is closed
	_ = srv.Close()
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
