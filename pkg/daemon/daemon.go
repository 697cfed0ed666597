package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/daemon/backup"
	"github.com/medforge/medforge/pkg/daemon/observe"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
)

// Options are what a Daemon takes besides its configuration.
type Options struct {
	Version string
	Stdout  io.Writer // event lines
	Logger  *slog.Logger
}

// Daemon is a medforged: opened, then run.
type Daemon struct {
	cfg     config.Config
	version string
	logger  *slog.Logger
	undo    undo

	store    *store.DB
	bus      *event.Bus
	accounts *account.Service
	sessions *session.Service
	readings *hostReadings
	contests *competition.Service
	api      *httpapi.Server
	proxy    *proxy.Proxy
	drivers  drivers

	socket   net.Listener
	public   net.Listener
	redirect net.Listener // nil: none
	certs    certificates // nil without TLS

	metricsListener net.Listener // nil: none
	metrics         *observe.Metrics
	requests        *observe.Requests
}

// undo is what was opened, closed in the opposite order.
type undo []func() error

func (u *undo) push(f func() error) { *u = append(*u, f) }

func (u *undo) run() error {
	var errs []error
	for i := len(*u) - 1; i >= 0; i-- {
		errs = append(errs, (*u)[i]())
	}
	*u = nil
	return errors.Join(errs...)
}

// Open opens everything a daemon needs, listeners included, or nothing: it
// never starts half. containerd may be away; sessions wait for it.
// Errors: Conflict (another daemon), Invalid, Unavailable.
func Open(ctx context.Context, c config.Config, o Options) (_ *Daemon, err error) {
	d := &Daemon{cfg: c, version: o.Version, logger: o.Logger}
	defer func() {
		if err != nil {
			_ = d.undo.run() // err says more
		}
	}()
	lock, err := lockDataDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	d.undo.push(lock.Close)
	if err = backup.Unfinished(c.DataDir); err != nil {
		return nil, err
	}
	if d.store, err = openStore(ctx, c, d.logger); err != nil {
		return nil, err
	}
	d.undo.push(d.store.Close)
	if d.drivers, err = openDrivers(ctx, c, d.logger); err != nil {
		return nil, err
	}
	d.undo.push(d.drivers.close)
	d.observe()
	if err = d.services(ctx, o); err != nil {
		return nil, err
	}
	in, err := takeInherited()
	if err != nil {
		return nil, err
	}
	if d.socket, err = listenSocket(ctx, c, in); err != nil {
		return nil, err
	}
	d.undo.push(ignoreClosed(d.socket.Close))
	if err = d.listenEdge(ctx, in); err != nil {
		return nil, err
	}
	d.metrics.Watch(d.state())
	return d, nil
}

// storeWait is how long a start waits for a database that does not answer yet,
// as after a reboot.
const storeWait = 60 * time.Second

func openStore(ctx context.Context, c config.Config, logger *slog.Logger) (*store.DB, error) {
	db, err := openUnmigrated(ctx, c, logger)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openUnmigrated(ctx context.Context, c config.Config, logger *slog.Logger) (*store.DB, error) {
	if err := os.MkdirAll(c.DataDir, 0o711); err != nil {
		return nil, err
	}
	sc := store.Config{Driver: c.Database.Driver, Path: c.DatabaseFile(), DSN: c.Database.DSN.Reveal()}
	return retryUnavailable(ctx, storeWait, logger, func() (*store.DB, error) { return store.Open(ctx, sc, logger) })
}

// Run serves until ctx ends. Sessions go on after it.
func (d *Daemon) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.undo.run()) }()
	if err := d.sessions.Know(ctx); err != nil {
		d.logger.Warn("serving without knowing the sessions; they are looked for again and again", "error", err)
	}
	loops, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() { d.accounts.Run(loops) })
	wg.Go(func() { d.endSessionHosts(loops) })
	wg.Go(func() { d.contests.Run(loops) })
	wg.Go(func() { _ = d.sessions.Run(loops) }) // its error is the end of loops
	if d.certs != nil {
		wg.Go(func() { d.certs.Run(loops) })
	}
	failed := make(chan error, maxServers)
	servers := d.serve(failed)

	d.bus.Publish(event.Event{Type: event.DaemonReady})
	d.logger.Info("ready", "socket", d.cfg.Socket, "listen", d.edgeListeners(), "url", d.cfg.URL(d.cfg.Host()))
	_, _ = sd.SdNotify(false, sd.SdNotifyReady) // without systemd there is nobody to tell
	wg.Go(func() { d.watchdog(loops) })
	wg.Go(func() { trimLoop(loops, d.logger) })

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	_, _ = sd.SdNotify(false, sd.SdNotifyStopping)
	d.logger.Info("ending; sessions go on")
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.HTTP.ShutdownGrace+shutdownSlack)
	defer cancel()
	d.api.EndStreams()
	err = errors.Join(err, servers.shutdown(bounded, d.cfg.HTTP.ShutdownGrace))
	err = errors.Join(err, d.proxy.Close(bounded))
	end()
	wg.Wait()
	return errors.Join(err, d.bus.Close(bounded))
}

// watchdog tells systemd that the daemon still serves: it asks its own parts
// and not only the clock.
func (d *Daemon) watchdog(ctx context.Context) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	t := time.NewTicker(interval / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if d.answers(ctx, interval/3) {
			_, _ = sd.SdNotify(false, sd.SdNotifyWatchdog)
		}
	}
}

// ignoreClosed is for a listener that its server has closed already.
func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// logDir is where sessions' output is kept.
func logDir(c config.Config) string { return filepath.Join(c.DataDir, "logs") }
