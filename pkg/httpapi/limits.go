package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/klauspost/compress/gzhttp"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// uploadAgain is when an upload that found no place should be tried again.
const uploadAgain = 5 * time.Second

// bodyTimeout is for a body that is no upload to arrive.
const bodyTimeout = 10 * time.Second

// oneUpload gives an upload one of the places, or says when to come back,
// before anything of it is read.
func (s *Server) oneUpload(c huma.Context, next func(huma.Context)) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
		next(c)
	default:
		r, w := humago.Unwrap(c)
		s.writeProblem(w, r, fault.New(fault.TooMany, api.CodeTooManyUploads,
			"Too many files are being sent at once. Try again in a moment.").After(uploadAgain))
	}
}

// bounded bounds a handler in time, unless the route is a long one. The
// handler's calls end with ctx, and fail makes the problem of it.
//
// Huma leaves the deadline of the body on the connection, where net/http waits
// for the caller to go away: it would take the deadline's end for that, and end
// the handler.
func (s *Server) bounded(ctx context.Context, r Route) (context.Context, context.CancelFunc) {
	if lift := requestOf(ctx).arrived; lift != nil && r.Takes == "" {
		lift()
	}
	if r.Long || r.Takes != "" {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.RequestTimeout, errTookTooLong)
}

var errTookTooLong = fault.New(fault.Timeout, api.CodeTookTooLong,
	"This took too long and was given up. See whether the host is well (medforge doctor), then try again.")

// tookTooLong says whether an error is that of bounded's time.
func tookTooLong(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errTookTooLong) {
		return fault.Wrap(err, errTookTooLong.Kind, errTookTooLong.Code, "%s", errTookTooLong.Message)
	}
	return err
}

// readInTime cuts off a caller that does not read a long answer, so that it
// does not hold what is being sent for ever. The deadline stays after the
// handler, since net/http sends the last of an answer then; the connection's
// next request lifts it.
func (s *Server) readInTime(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.RequestTimeout + s.WriteTimeout)) // a writer without deadlines needs none
}

// compressAbove is the size in bytes from which compression saves a packet.
const compressAbove = 1400

// compressor wraps what answers small routes.
func compressor() (func(http.Handler) http.HandlerFunc, error) {
	return gzhttp.NewWrapper(gzhttp.MinSize(compressAbove), gzhttp.EnableZstd(false),
		gzhttp.ContentTypes([]string{"application/json", "application/openapi+json", api.ProblemContentType}))
}

// ownHeaders are on everything from MedForge's own hosts. A page has a policy
// of its own; what is no page may do nothing, should a browser take it for one.
func ownHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
}

const apiPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
