package daemon

import (
	"context"
	"net"
	"net/http"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/web"
)

// services builds everything between the drivers and the listeners.
func (d *Daemon) services(ctx context.Context, o Options) (err error) {
	audit, err := d.store.Audit()
	if err != nil {
		return err
	}
	d.bus = event.NewBus(event.Options{Count: d.metrics.Event, Out: o.Stdout, Audit: audit.AppendEvents, Logger: d.logger})
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
	var main, apiOnly http.Handler
	trusted := proxy.Trusted(d.cfg.HTTP.TrustedProxies)
	d.proxy = proxy.New(proxy.Options{
		Hosts:    d.hosts(),
		Sessions: sessionViews{d.sessions},
		Dialer:   d.drivers.sockets,
		Keys:     d.accounts,
		// The API is made below and asks the proxy back.
		Main:       http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { main.ServeHTTP(w, r) }),
		API:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { apiOnly.ServeHTTP(w, r) }),
		OpenPath:   api.PathOpen,
		SignInPath: api.PathSignIn,

		ClientAddr: trusted.ClientAddr,
		Logger:     d.logger,
	})
	d.readings = d.newReadings()
	page, err := d.webPage(web.Files())
	if err != nil {
		return err
	}
	d.api, err = httpapi.New(httpapi.Options{
		Sessions: d.sessions, Accounts: d.accounts, Tickets: tickets{d}, Events: d.bus,
		Competitions: d.contests,
		Doctor:       d.doctor,
		Host:         d.host,
		Backup:       d.backup,
		SocketActor:  d.accounts.UnixUser,
		Public:       authenticator{d.accounts, d.cfg.Secure()},
		Secure:       d.cfg.Secure(),
		ClientAddr:   trusted.ClientAddr,
		TrustedProxy: trusted.Sent,
		SessionProxy: httpapi.SessionProxy{Check: d.checkVisitor, Upstream: upstream(d.cfg.HTTP.Listen)},
		Metrics:      d.metrics.Handler(),
		Pages:        httpapi.Pages{Open: d.proxy.Open, Return: d.hosts().ReturnOrigin, Web: page},
		BaseURL:      d.cfg.URL(d.cfg.Host()),
		Origins:      []string{d.cfg.URL(d.cfg.Host())},
		SessionURL:   func(slug string) string { return d.cfg.URL(d.cfg.SessionHost(slug)) + "/" },
		Logger:       d.logger,

		MaxBody:        int64(d.cfg.HTTP.MaxBody),
		RequestTimeout: d.cfg.HTTP.RequestTimeout,
		MaxUploads:     d.cfg.HTTP.MaxUploads,
	})
	if err != nil {
		return err
	}
	main, apiOnly = d.api.Public(), d.api.PublicAPI()
	return nil
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
		Handler:           d.requests.Handler("session", d.api.Session(owner, s.ID)),
		ReadHeaderTimeout: d.cfg.HTTP.ReadHeaderTimeout,
		IdleTimeout:       d.cfg.HTTP.IdleTimeout,
		MaxHeaderBytes:    int(d.cfg.HTTP.MaxHeader),
		ErrorLog:          quiet(d.logger),
	}
	_ = srv.Serve(l) // ends when the session's listener is closed
	_ = srv.Close()
}
