package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// The codes of what fails before a daemon is reached, or on the way back.
const (
	CodeUnreachable    = "client/daemon-unreachable"
	CodeTimeout        = "client/timeout"
	CodeSocketDenied   = "client/socket-not-allowed"
	CodeUnexpected     = "client/unexpected-answer"
	CodeStreamBrokeOff = "client/stream-broke-off"
)

// unreachable says why nobody answered and what to do about it.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) ||
		(errors.As(err, &timeout) && timeout.Timeout()) {
		return fault.Wrap(err, fault.Timeout, CodeTimeout,
			"MedForge at %s did not answer in time. What was asked may still happen. See: medforge doctor", c.Address())
	}
	if c.o.Server != "" {
		return fault.Wrap(err, fault.Unavailable, CodeUnreachable,
			"MedForge at %s cannot be reached: %v. Check the URL and the network; for the MedForge of this host leave out --server.",
			c.base, root(err))
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Denied, CodeSocketDenied,
			"You may not use MedForge's socket %s: its group may. Have an admin add you with: usermod -aG medforge YOUR-NAME; then sign in to this host anew.", c.o.Socket)
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(err, fault.Unavailable, CodeUnreachable,
			"MedForge's daemon is not running: there is no socket %s. Start it with: systemctl start medforged. Is it elsewhere? Give --socket PATH or --server URL.", c.o.Socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.Wrap(err, fault.Unavailable, CodeUnreachable,
			"MedForge's daemon is not running: nobody listens on %s. Start it with: systemctl start medforged. Its log: journalctl -u medforged.", c.o.Socket)
	}
	return fault.Wrap(err, fault.Unavailable, CodeUnreachable,
		"MedForge's daemon at %s cannot be reached: %v. See whether it runs: systemctl status medforged", c.o.Socket, root(err))
}

// hungUp reports that the connection ended before an answer.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// neverSent reports that a kept connection was found closed before anything of
// the request was written: it was not counted as under way yet. net/http has no
// type for that, and repeats by itself only what changes nothing.
func neverSent(err error) bool {
	return err != nil && root(err).Error() == "http: server closed idle connection"
}

// root is the innermost error: the outer ones repeat the URL.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// refused turns an answer that is no success into the fault that it was.
func (c *Client) refused(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return c.unreachable(resp.Request.Context(), err)
	}
	var p api.Problem
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if mediaType == api.ProblemContentType && json.Unmarshal(body, &p) == nil && p.Code != "" {
		return p.Fault(retryAfter(resp.Header))
	}
	// Something between the client and MedForge, or not MedForge at all.
	return fault.New(api.KindOf(resp.StatusCode), CodeUnexpected,
		"%s answered %s, and not in MedForge's way. Is that the right address?", c.Address(), resp.Status)
}

func (c *Client) unexpected(resp *http.Response, err error) error {
	return fault.Wrap(err, fault.Unavailable, CodeUnexpected,
		"%s answered %s with something that MedForge does not send. Is that the right address?", c.Address(), resp.Status)
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// brokeOff is an answer that began and did not end.
func (c *Client) brokeOff(what string, err error) error {
	return fault.Wrap(err, fault.Unavailable, CodeStreamBrokeOff,
		"%s broke off: the connection to %s was lost.", what, c.Address())
}
