package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
)

// Route is one row of the table.
type Route struct {
	Method string
	Path   string // with {wildcards} as net/http's ServeMux has them
	Access Access
	// InSession lets code inside a session call it, as that session's owner.
	InSession bool
	Summary   string
	Tag       string
	Status    int   // of success; 0 is 200
	Problems  []int // statuses of problems beyond those that every route may answer with
	// Takes is the media type of a body that the handler reads itself: an
	// upload.
	Takes string
	// Long: it may take longer than Options.RequestTimeout. Uploads and what is
	// bare may in any case.
	Long bool

	// AnyQuery takes query parameters that it does not know, and ignores them;
	// it has none of its own.
	AnyQuery bool

	// small: a GET whose answer is made whole before it is sent, as JSON.
	// Compression pays there, and nowhere else: streams must not wait, and
	// archives are compressed.
	small    bool
	register func(s *Server, h huma.API, op huma.Operation)
}

// ID names the route in the OpenAPI document: "get-sessions-id-logs".
func (r Route) ID() string {
	p := strings.TrimPrefix(strings.TrimPrefix(r.Path, api.Prefix), "/")
	return strings.ToLower(r.Method) + "-" + strings.NewReplacer("/", "-", "{", "", "}", "", ".", "-").Replace(p)
}

// checkRoutes refuses a table with a row that does not say who may call it.
func checkRoutes(routes []Route) error {
	var errs []error
	for _, r := range routes {
		name := r.Method + " " + r.Path
		switch {
		case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
			errs = append(errs, fmt.Errorf("httpapi: route %q has no method or no path", name))
		case r.Access < Everyone || r.Access > Admin:
			errs = append(errs, fmt.Errorf("httpapi: route %q does not say who may call it", name))
		case r.InSession && r.Access == Admin:
			errs = append(errs, fmt.Errorf("httpapi: route %q is for admins and open to sessions; no admin calls from one", name))
		case r.register == nil:
			errs = append(errs, fmt.Errorf("httpapi: route %q has no handler", name))
		}
	}
	return errors.Join(errs...)
}

// The names of the ways to sign in, in the OpenAPI document.
const (
	securityCookie = "cookie"
	securityBearer = "token"
)

func (r Route) operation(s *Server) huma.Operation {
	op := huma.Operation{
		OperationID:        r.ID(),
		Method:             r.Method,
		Path:               r.Path,
		Summary:            r.Summary,
		Tags:               []string{r.Tag},
		DefaultStatus:      r.Status,
		Errors:             append([]int{}, r.Problems...),
		Security:           []map[string][]string{},
		MaxBodyBytes:       s.MaxBody,
		SkipValidateParams: r.AnyQuery,
		BodyReadTimeout:    min(bodyTimeout, s.RequestTimeout), // see bounded; uploads have their own, see patient
		Middlewares: huma.Middlewares{func(c huma.Context, next func(huma.Context)) {
			if err := r.admit(c.Context()); err != nil {
				req, w := humago.Unwrap(c)
				s.writeProblem(w, req, err)
				return
			}
			next(c)
		}},
	}
	if r.Takes != "" {
		op.Middlewares = append(op.Middlewares, s.oneUpload)
		op.Errors = append(op.Errors, http.StatusTooManyRequests)
	}
	if op.DefaultStatus == 0 {
		op.DefaultStatus = http.StatusOK
	}
	if r.Takes != "" {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{r.Takes: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	}
	if r.Access != Everyone {
		op.Errors = append(op.Errors, http.StatusUnauthorized)
		op.Security = []map[string][]string{{securityCookie: {}}, {securityBearer: {}}}
	}
	if r.Access == Admin || (r.Access != Everyone && !r.InSession) {
		op.Errors = append(op.Errors, http.StatusForbidden)
	}
	if r.Access == Owner {
		op.Errors = append(op.Errors, http.StatusNotFound)
	}
	op.Errors = append(op.Errors, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable)
	return op
}

// none is the input of a route that takes nothing.
type none struct{}

type output[T any] struct {
	Body T
}

// answer makes a row whose handler returns the answer's data.
func answer[I, T any](r Route, h func(ctx context.Context, a auth.Actor, in *I) (T, error)) Route {
	r.small = r.Method == http.MethodGet
	r.register = func(s *Server, hapi huma.API, op huma.Operation) {
		huma.Register(hapi, op, func(ctx context.Context, in *I) (*output[envelope[T]], error) {
			ctx, cancel := s.bounded(ctx, r)
			defer cancel()
			data, err := h(ctx, actorOf(ctx), in)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			return &output[envelope[T]]{envelope[T]{Data: data, Meta: s.meta(ctx)}}, nil
		})
	}
	return r
}

// envelope is api.Envelope; the alias keeps this file's signatures short.
type envelope[T any] = api.Envelope[T]

func (s *Server) meta(ctx context.Context) api.Meta {
	return api.Meta{RequestID: requestOf(ctx).id, APIVersion: api.Version, Timestamp: s.Now().UTC()}
}

// compressed marks a bare route whose answer is small in the sense of Route.
func (r Route) compressed() Route {
	r.small = true
	return r
}

// content documents an answer that is no envelope.
type content struct {
	media  string
	schema reflect.Type // nil: not JSON
}

// bare makes a row whose handler writes the whole answer itself: its status, a
// body that is no envelope, or a stream. open does all that can fail and
// returns what writes; a stream must end with the request's context.
func bare[I any](r Route, is content, open func(ctx context.Context, a auth.Actor, in *I) (http.HandlerFunc, error)) Route {
	r.register = func(s *Server, hapi huma.API, op huma.Operation) {
		media := &huma.MediaType{}
		if is.schema != nil {
			media.Schema = hapi.OpenAPI().Components.Schemas.Schema(is.schema, true, is.schema.Name())
		}
		op.Responses = map[string]*huma.Response{
			fmt.Sprint(op.DefaultStatus): {Description: http.StatusText(op.DefaultStatus), Content: map[string]*huma.MediaType{is.media: media}},
		}
		huma.Register(hapi, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
			write, err := open(ctx, actorOf(ctx), in)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			return &huma.StreamResponse{Body: func(c huma.Context) {
				r, w := humago.Unwrap(c)
				write(w, r)
			}}, nil
		})
	}
	return r
}
