package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// problem is an api.Problem on its way out. Huma writes it when a handler
// returns it, writeProblem where no handler was reached.
type problem struct {
	api.Problem
	retryAfter time.Duration
}

// toProblem is the one place where an error becomes what a caller sees.
func toProblem(ctx context.Context, err error) *problem {
	req := requestOf(ctx)
	p := &problem{Problem: api.NewProblem(err, req.base)}
	p.Instance, p.RequestID = req.path, req.id
	if e := fault.As(err); e != nil {
		p.retryAfter = e.RetryAfter
	}
	return p
}

func (p *problem) Error() string  { return p.Detail }
func (p *problem) GetStatus() int { return p.Status }

// ContentType is asked by Huma with what it negotiated.
func (p *problem) ContentType(string) string { return api.ProblemContentType }

// GetHeaders is asked by Huma, and by writeProblem.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="MedForge"`) // RFC 9110, 15.5.2 wants one
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	return h
}

// fail logs what a caller must not see and returns what it may.
func (s *Server) fail(ctx context.Context, err error) error {
	err = tookTooLong(ctx, err)
	p := toProblem(ctx, err)
	if ctx.Err() != nil && p.Status >= 500 {
		return p // the caller went away; what broke because of that is no news
	}
	attrs := []any{"request_id", p.RequestID, "path", p.Instance, "code", p.Code, "error", err}
	switch {
	case p.Status >= 500 && p.Status != http.StatusNotImplemented:
		s.Logger.Error("request failed", attrs...)
	default:
		s.Logger.Debug("request refused", attrs...)
	}
	return p
}

// writeProblem answers where Huma is not reached.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	if !errors.As(s.fail(r.Context(), err), &p) {
		return
	}
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", api.ProblemContentType)
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the reader is gone; there is nobody to tell
}

// Huma makes its own errors (a body that does not fit, a header that is no
// number) only through these package variables; it has no setting for one API.
// They are set once, to pure functions of their arguments.
func init() {
	huma.NewErrorWithContext = func(c huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return toProblem(c.Context(), fromHuma(status, msg, errs))
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return toProblem(context.Background(), fromHuma(status, msg, errs))
	}
}

// fromHuma turns what Huma found wrong with a request into a fault. The value
// that was sent is not repeated: it may be a password.
func fromHuma(status int, msg string, errs []error) error {
	var fields []fault.Field
	for _, err := range errs {
		var d huma.ErrorDetailer
		if err == nil || !errors.As(err, &d) {
			continue
		}
		detail := d.ErrorDetail()
		if detail.Location == "query.limit" {
			return fault.New(fault.Invalid, api.CodeInvalidLimit,
				"The limit must be a whole number from %d to %d.", api.MinLimit, api.MaxLimit)
		}
		if detail.Location == "query.cursor" {
			return invalidCursor()
		}
		fields = append(fields, fault.Field{Loc: detail.Location, Msg: detail.Message, Type: mistake(detail.Message)})
	}
	switch status {
	case http.StatusUnprocessableEntity:
		return fault.New(fault.Invalid, api.CodeInvalidRequest, "%s", summary(fields)).With(fields...)
	case http.StatusBadRequest:
		return fault.New(fault.Invalid, api.CodeMalformedRequest, "The request could not be read: %s.", firstOr(fields, msg)).With(fields...)
	case http.StatusUnsupportedMediaType:
		return fault.New(fault.Invalid, api.CodeUnsupportedMedia, "The body must be application/json.")
	case http.StatusNotAcceptable:
		return fault.New(fault.Invalid, api.CodeNotAcceptable, "Answers are application/json; the Accept header allows none of it.")
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.TooLarge, api.CodeTooLarge, "The body is larger than is taken here.")
	case http.StatusRequestTimeout:
		return fault.New(fault.Timeout, api.CodeTooSlow, "The body did not arrive in its time. Send the request again.")
	}
	return fmt.Errorf("%d %s: %w", status, msg, errors.Join(errs...))
}

func firstOr(fields []fault.Field, msg string) string {
	if len(fields) > 0 {
		return fields[0].Msg
	}
	return msg
}

func summary(fields []fault.Field) string {
	if len(fields) == 0 {
		return "The request is not valid."
	}
	s := fmt.Sprintf("The request is not valid: %s: %s.", fields[0].Loc, fields[0].Msg)
	if n := len(fields) - 1; n > 0 {
		s += fmt.Sprintf(" And %d more.", n)
	}
	return s
}

// mistake is a stable word for one of Huma's messages.
func mistake(msg string) string {
	before, _, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%")
	switch {
	case msg == validation.MsgUnexpectedProperty || msg == "unknown query parameter":
		return "unexpected"
	case strings.HasPrefix(msg, before):
		return "missing"
	}
	return "invalid"
}
