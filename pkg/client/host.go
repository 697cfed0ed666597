package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// Me returns who the caller is. Errors: Unauthenticated.
func (c *Client) Me(ctx context.Context) (api.Me, error) {
	return get[api.Me](ctx, c, api.Path("me"))
}

// Health returns how the host is. Degraded is an answer, not an error.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	var h api.Health
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+api.PathHealthz, nil)
	if err != nil {
		return h, fault.Wrap(err, fault.Invalid, "client/invalid-request", "The request cannot be made.")
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return h, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&h); err != nil {
		return h, c.unexpected(resp, err)
	}
	if h.Status != api.HealthOK && h.Status != api.HealthDegraded {
		return h, c.unexpected(resp, errors.New("no status"))
	}
	return h, nil
}

// GPUs lists the host's devices by index.
func (c *Client) GPUs(ctx context.Context) ([]api.GPU, error) {
	return all(pages[api.GPU](ctx, c, api.Path("gpus"), nil))
}

// Host returns the machine's readings.
func (c *Client) Host(ctx context.Context) (api.Host, error) {
	return get[api.Host](ctx, c, api.Path("host"))
}

// SetGPU enables or disables a device, by index or UUID. Errors: Denied,
// NotFound.
func (c *Client) SetGPU(ctx context.Context, ref string, enabled bool) error {
	verb := "disable"
	if enabled {
		verb = "enable"
	}
	_, err := post[api.Message](ctx, c, api.Path("admin", "gpus", ref, verb), nil)
	return err
}

// Packs lists the imported images. Errors: Denied.
func (c *Client) Packs(ctx context.Context) ([]api.Pack, error) {
	return all(pages[api.Pack](ctx, c, api.Path("admin", "packs"), nil))
}

// ImportPack sends an OCI archive of size bytes (-1: not known). progress, if
// not nil, is called from one goroutine as bytes go out. It ends with ctx and
// has no other time limit. Errors: Denied, Invalid.
func (c *Client) ImportPack(ctx context.Context, archive io.Reader, size int64, progress func(sent int64)) (api.Pack, error) {
	var e api.Envelope[api.Pack]
	err := c.callWithin(ctx, request{
		method: http.MethodPost, path: api.Path("admin", "packs"),
		body: &progressReader{r: archive, report: progress}, length: size, ctype: "application/x-tar",
		// The daemon can refuse before a gigabyte is on its way.
		header: http.Header{"Expect": {"100-continue"}},
	}, &e)
	return e.Data, err
}

// progressReader tells how much was read.
type progressReader struct {
	r      io.Reader
	sent   int64
	report func(sent int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.sent += int64(n)
	if n > 0 && p.report != nil {
		p.report(p.sent)
	}
	return n, err
}

// UsePack chooses the image that new sessions run. Errors: Denied, NotFound.
func (c *Client) UsePack(ctx context.Context, digest string) error {
	_, err := post[api.Message](ctx, c, api.Path("admin", "packs", "use"), api.PackUse{Digest: digest})
	return err
}

// Reconcile brings rows and reality together now. Errors: Denied.
func (c *Client) Reconcile(ctx context.Context) (api.Reconciled, error) {
	return post[api.Reconciled](ctx, c, api.Path("admin", "reconcile"), nil)
}

// Doctor returns the prerequisites that only the daemon can see. Errors:
// Denied.
func (c *Client) Doctor(ctx context.Context) ([]api.Check, error) {
	r, err := get[api.DoctorReport](ctx, c, api.Path("admin", "doctor"))
	return r.Checks, err
}

// Backup opens a backup of the whole MedForge: a tar archive compressed by
// zstd, with workspaces that are folders if they are wanted. It ends with ctx and has no other time limit. Errors: Denied; while
// reading, Unavailable "client/stream-broke-off": what came is no backup.
func (c *Client) Backup(ctx context.Context, workspaces bool) (io.ReadCloser, error) {
	q := url.Values{"workspaces": {strconv.FormatBool(workspaces)}}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: api.Path("admin", "backup"), query: q})
	if err != nil {
		return nil, err
	}
	return &logReader{c: c, ctx: ctx, body: resp.Body, what: "The backup"}, nil
}
