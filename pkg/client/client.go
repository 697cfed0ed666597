// Package client is the one Go client of MedForge's API, over the daemon's
// unix socket or over https. Failures are *fault.Error of the same kinds that
// the daemon's domains returned; what fails before the daemon is reached has
// codes that begin with "client/".
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// Options say which daemon to talk to, and as whom.
type Options struct {
	// Socket is the path of a unix socket: the daemon's, where the caller is
	// known by its uid, or a session's own.
	Socket string
	// Server is MedForge's URL, such as https://medforge.example.org. It wins
	// over Socket.
	Server string
	// Token is a bearer token for Server.
	Token string

	Timeout   time.Duration // 60 s: one ordinary call; streams and uploads end with their context
	Quiet     time.Duration // 60 s: an event stream silent for so long is taken up anew
	UserAgent string        // "medforge"
}

// Client is safe for use by many goroutines. It holds no goroutine of its own;
// Close drops idle connections.
type Client struct {
	o    Options
	base string // URL without a slash at its end
	http *http.Client
}

// New makes a Client and reaches nobody yet. Errors: Invalid (no address, or
// one that is no URL, or a token that would travel unencrypted).
func New(o Options) (*Client, error) {
	if o.Timeout <= 0 {
		o.Timeout = 60 * time.Second
	}
	if o.Quiet <= 0 {
		o.Quiet = 60 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "medforge"
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 2 * time.Second,
		IdleConnTimeout:       30 * time.Second,
	}
	c := &Client{o: o, http: &http.Client{
		Transport: t,
		// The API redirects nowhere; following one could carry a token away.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch {
	case o.Server != "":
		u, err := url.Parse(o.Server)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.User != nil {
			return nil, fault.New(fault.Invalid, "client/invalid-server",
				"%q is not the URL of a MedForge. It looks like https://medforge.example.org.", o.Server)
		}
		if o.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, fault.New(fault.Invalid, "client/token-in-the-clear",
				"A token is not sent to %s without encryption. Use its https URL.", u.Host)
		}
		if loopback(u.Hostname()) {
			t.Proxy, t.DialContext = nil, localDialer(dialer)
		}
		c.base = strings.TrimRight(u.String(), "/")
	case o.Socket != "":
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", o.Socket)
		}
		c.base = "http://medforge"
	default:
		return nil, fault.New(fault.Invalid, "client/no-address",
			"There is neither a socket nor a server to talk to. Give --socket PATH or --server URL.")
	}
	return c, nil
}

// loopback reports whether a host name never leaves this machine (RFC 6761,
// 6.3, for localhost).
func loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// localDialer finds names below localhost by itself, as browsers do: few
// resolvers know them.
func localDialer(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host) == nil {
			address = net.JoinHostPort("localhost", port)
		}
		return d.DialContext(ctx, network, address)
	}
}

// Address is where the client talks to, for people: a URL, or the socket.
func (c *Client) Address() string {
	if c.o.Server != "" {
		return c.base
	}
	return c.o.Socket
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request describes one call.
type request struct {
	method string
	path   string // escaped, as api's path functions make it
	query  url.Values
	body   io.Reader // nil for none
	length int64     // of body; -1 when not known
	ctype  string    // of body
	header http.Header
}

// send makes the call and returns an answer below 400, whose body the caller
// closes. Errors: what the daemon answered; Unavailable
// "client/daemon-unreachable"; Timeout "client/timeout"; context.Canceled.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := c.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, r.body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "client/invalid-request", "The request cannot be made.")
	}
	if r.body != nil {
		req.ContentLength = r.length
		req.Header.Set("Content-Type", r.ctype)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	if c.o.Token != "" && c.o.Server != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil && r.method == http.MethodGet && hungUp(err) {
		// The daemon was killed. The next one, which systemd starts, has its socket.
		resp, err = c.http.Do(req)
	}
	if err != nil && neverSent(err) && (r.body == nil || req.GetBody != nil) {
		if r.body != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, fault.Wrap(err, fault.Internal, "client/invalid-request", "The request cannot be made again.")
			}
		}
		resp, err = c.http.Do(req)
	}
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refused(resp)
	}
	return resp, nil
}

// maxAnswer bounds an answer that is read whole; a page of 500 rows is far
// below it.
const maxAnswer = 64 << 20

// call makes an ordinary call and reads the answer into out, which may be nil.
func (c *Client) call(ctx context.Context, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	return c.callWithin(ctx, r, out)
}

// callWithin is call without a time of its own: for uploads.
func (c *Client) callWithin(ctx context.Context, r request, out any) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(body) > maxAnswer {
		return c.unexpected(resp, errors.New("the answer is larger than any of MedForge's"))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return c.unexpected(resp, err)
	}
	return nil
}

// get reads the data of an answer.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var e api.Envelope[T]
	err := c.call(ctx, request{method: http.MethodGet, path: path}, &e)
	return e.Data, err
}

// post sends a body, or none, and reads the data of the answer.
func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var e api.Envelope[T]
	r := request{method: http.MethodPost, path: path}
	if err := r.encode(body); err != nil {
		return e.Data, err
	}
	err := c.call(ctx, r, &e)
	return e.Data, err
}

// encode makes JSON the request's body; nil is none.
func (r *request) encode(body any) error {
	if body == nil {
		return nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "client/unencodable", "The request cannot be written as JSON.")
	}
	r.body, r.length, r.ctype = bytes.NewReader(raw), int64(len(raw)), "application/json"
	return nil
}
