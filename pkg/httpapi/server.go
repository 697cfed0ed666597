// Package httpapi serves the API of pkg/api: the route table, in which who may
// call stands beside each route, the handlers, and one writer of problems.
//
// The same routes answer on three kinds of listener: the daemon's unix socket
// (Socket), MedForge's public host (Public) and the socket inside each session
// (Session). What differs is how the caller is known and what the guard before
// it refuses.
package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
)

// Options is what a Server is made of.
type Options struct {
	Sessions Sessions
	Accounts Accounts
	Tickets  Tickets
	// Competitions is nil where there are none: then their routes are not there.
	Competitions Competitions
	Events       *event.Bus
	// Doctor returns what only the daemon can see of the host. nil: nothing.
	Doctor func(ctx context.Context) []api.Check
	// Host reads the machine. nil: nothing is known of it.
	Host func(ctx context.Context) (api.Host, error)
	// Backup takes the moment of a backup, which is then written out, with the
	// workspaces that are folders if they are wanted. nil: none can be taken.
	Backup func(ctx context.Context, a auth.Actor, workspaces bool) (Backup, error)

	// SocketActor turns the uid of a caller on the unix socket into an actor,
	// making its account at first use.
	SocketActor func(ctx context.Context, uid uint32) (auth.Actor, error)
	// Public finds out who calls on the public listener.
	Public Authenticator

	// Secure says that people come by https: cookies are Secure and __Host-.
	Secure bool
	// ClientAddr is the address of a visitor on the public listener, after
	// trusted proxies; nil takes the connection's.
	ClientAddr func(*http.Request) netip.Addr
	// TrustedProxy reports whether a request on the public listener was sent by
	// a proxy in front whose X-Forwarded-Host is believed; nil believes none.
	TrustedProxy func(*http.Request) bool

	// SessionProxy answers proxies in front; without it they are not served.
	SessionProxy SessionProxy
	// Metrics serves PathMetrics on the unix socket; nil: it is not there.
	Metrics http.Handler
	// Pages are what Public serves to browsers besides the API.
	Pages Pages

	// BaseURL is MedForge's public URL without a slash at its end, such as
	// "https://medforge.example.org". Empty: problem types stay relative.
	BaseURL string
	// Origins are the origins whose pages may change state, each exactly as a
	// browser sends it: "https://medforge.example.org".
	Origins []string
	// SessionURL is where a session's IDE answers.
	SessionURL func(slug string) string

	MaxBody        int64         // 1 MiB: a body that is no upload, in bytes
	RequestTimeout time.Duration // 1 m: an ordinary request
	MaxUploads     int           // 8: at the same time

	KeepAlive    time.Duration // 15 s: between comments on a quiet event stream
	WriteTimeout time.Duration // 30 s: one write to a reader of a stream

	Now    func() time.Time // time.Now
	Random io.Reader        // crypto/rand; request ids
	Logger *slog.Logger     // discards
}

// Authenticator finds out who sent a request. The zero Actor is nobody, which
// is no error: a route decides whether nobody may call it. Errors:
// Unauthenticated: a token that is not valid; "auth/sign-in-expired" for a
// cookie that opens nothing, which counts as nobody and is expired; Unavailable.
type Authenticator interface {
	Authenticate(r *http.Request) (auth.Grant, error)
}

// Server is the API. Its three handlers may serve any number of listeners.
type Server struct {
	Options
	mux   *http.ServeMux
	doc   []byte // openapi.json
	pages []Page

	meanings map[string]meaning // by code

	uploads  chan struct{}   // one place an upload
	small    map[string]bool // patterns of the routes whose answers are compressed
	compress http.HandlerFunc

	ending     context.Context // ends with EndStreams
	endStreams context.CancelFunc
}

// New builds a Server; it refuses a route table with a mistake in it.
func New(o Options) (*Server, error) {
	if o.KeepAlive <= 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = time.Minute
	}
	if o.MaxUploads <= 0 {
		o.MaxUploads = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.ClientAddr == nil {
		o.ClientAddr = clientAddr
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Sessions == nil || o.Accounts == nil || o.Tickets == nil || o.Events == nil ||
		o.SocketActor == nil || o.Public == nil || o.SessionURL == nil {
		return nil, errors.New("httpapi: Sessions, Accounts, Tickets, Events, SocketActor, Public and SessionURL are needed")
	}
	s := &Server{Options: o, mux: http.NewServeMux(), uploads: make(chan struct{}, o.MaxUploads), small: map[string]bool{}}
	wrap, err := compressor()
	if err != nil {
		return nil, err
	}
	s.compress = wrap(s.mux)
	if s.meanings, err = readMeanings(problemsText); err != nil {
		return nil, err
	}
	s.ending, s.endStreams = context.WithCancel(context.Background())
	if err := s.register(s.Routes()); err != nil {
		return nil, err
	}
	s.pages = s.PageTable()
	return s, nil
}

// EndStreams ends every stream of events and every log that is followed, those
// to come included: a daemon that ends must not wait for them.
func (s *Server) EndStreams() { s.endStreams() }

// register checks the table and puts its rows on the mux and into the OpenAPI
// document.
func (s *Server) register(routes []Route) error {
	if err := checkRoutes(routes); err != nil {
		return err
	}
	h := humago.New(s.mux, humaConfig(s.BaseURL))
	for _, r := range routes {
		r.register(s, h, r.operation(s))
		s.small[r.Method+" "+r.Path] = r.small
	}
	doc, err := h.OpenAPI().MarshalJSON()
	if err != nil {
		return err
	}
	s.doc = doc
	return nil
}

func humaConfig(baseURL string) huma.Config {
	json := huma.DefaultJSONFormat
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "MedForge",
				Version:     api.Version,
				Description: "Browser VS Code with a GPU of one's own, and permanent competitions, on one host.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityCookie: {Type: "apiKey", In: "cookie", Name: "__Host-medforge_session",
						Description: "Set by signing in; medforge_session on plain HTTP."},
					securityBearer: {Type: "http", Scheme: "bearer", Description: "A token made by its owner."},
				},
			},
			Servers: []*huma.Server{{URL: cmp.Or(baseURL, "/"), Description: "MedForge's own host; api.* and the unix sockets have the same"}},
		},
		Formats:                      map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// requestID draws the name of a request: 16 hexadecimal characters.
func (s *Server) requestID() string {
	var b [8]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		s.Logger.Error("request id could not be drawn", "error", err)
	}
	return hex.EncodeToString(b[:])
}
