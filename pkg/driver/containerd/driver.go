package containerd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/grpc"

	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/session"
)

// Driver is session.Runtime and session.Packs on containerd. Its methods may be
// called from several goroutines.
type Driver struct {
	c     Config
	cli   *client.Client
	net   *network.Manager
	slugs keyed // one change of a session's container at a time
	// opened tells containers of an earlier daemon from those of this one.
	opened time.Time
}

var (
	_ session.Runtime = (*Driver)(nil)
	_ session.Packs   = (*Driver)(nil)
)

// Open makes a Driver. It does not wait for containerd: one that does not
// answer yet, or no more, makes calls Unavailable until it does, and the
// connection is made again by itself. Close ends it.
func Open(c Config) (*Driver, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.Snapshotter == "" {
		c.Snapshotter = defaults.DefaultSnapshotter
	}
	for dir, mode := range map[string]os.FileMode{c.LogDir: 0o700, c.RunDir: 0o755} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return nil, fmt.Errorf("making a folder of the container driver: %w", err)
		}
	}
	net, err := network.New(c.Network)
	if err != nil {
		return nil, err
	}
	cli, err := client.New(c.Address, client.WithTimeout(connectTime), client.WithDefaultNamespace(c.Namespace),
		client.WithDefaultRuntime(runtimeName))
	if err != nil {
		return nil, fmt.Errorf("containerd's address: %w", err)
	}
	return &Driver{c: c, cli: cli, net: net, opened: time.Now()}, nil
}

// Close ends the connection. Sessions run on.
func (d *Driver) Close() error { return d.cli.Close() }

// in returns the context for calls to containerd.
func (d *Driver) in(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, d.c.Namespace)
}

// fail turns an error of containerd's into one of ours, see errors.go, and, if
// the connection is lost, has it made again at the next call instead of after
// a growing pause.
func (d *Driver) fail(ctx context.Context, err error, doing string, args ...any) error {
	f := explain(ctx, err, fmt.Sprintf(doing, args...))
	if f != nil && f.Code == codeUnavailable {
		if conn, ok := d.cli.Conn().(*grpc.ClientConn); ok {
			conn.ResetConnectBackoff()
		}
	}
	if f == nil {
		return nil
	}
	return f
}

// Ping implements session.Runtime.
func (d *Driver) Ping(ctx context.Context) (string, error) {
	v, err := d.cli.Version(d.in(ctx))
	if err != nil {
		return "", d.fail(ctx, err, "asking containerd for its version")
	}
	return v.Version, nil
}

// etcDir keeps a session's own files of /etc.
func (d *Driver) etcDir(slug string) string { return filepath.Join(d.c.RunDir, "etc", slug) }

// undoContext is for taking back what failed: ctx may be over.
func (d *Driver) undoContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(d.in(context.WithoutCancel(ctx)), undoTime)
}
