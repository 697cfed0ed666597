package session_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/driver/dir"
	"github.com/medforge/medforge/pkg/driver/simgpu"
	"github.com/medforge/medforge/pkg/driver/sockdir"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeruntime"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// rig is a session service on a real database, real folders and sockets, and
// the runtime in memory that passes the real one's conformance suite.
type rig struct {
	*session.Service
	t          *testing.T
	runtime    *fakeruntime.Runtime
	workspaces *flakyWorkspaces
	sockets    *ideSockets
	gpus       *simgpu.Driver
	store      *store.DB
	options    session.Options
	alice, bob auth.Actor

	mu     sync.Mutex
	events []event.Event
	stop   func()
}

const packDigest = "sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730"

// newRig makes and runs a service. edit changes its options first.
func newRig(t *testing.T, cfg store.Config, gpus int, edit func(*session.Options)) *rig {
	t.Helper()
	promised.Root(t, "it makes workspaces owned by 1000 and mounts socket folders")
	folders, err := sockdir.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	spaces, err := dir.New(dir.Config{Root: t.TempDir() + "/workspaces"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, runtime: fakeruntime.New(), gpus: simgpu.New(t.Name(), gpus),
		workspaces: &flakyWorkspaces{Workspaces: spaces}, store: storetest.Open(t, cfg),
		alice: auth.Actor{UserID: uuid.NewString(), Name: "alice", Role: auth.RoleUser, Via: auth.ViaSocket},
		bob:   auth.Actor{UserID: uuid.NewString(), Name: "bob", Role: auth.RoleUser, Via: auth.ViaSocket},
	}
	r.sockets = &ideSockets{Sockets: folders, answers: true, conns: map[net.Conn]bool{}}
	r.runtime.AddPack(session.Pack{ID: "default", Digest: packDigest, SizeBytes: 1})
	for _, a := range []auth.Actor{r.alice, r.bob} {
		addUser(t, r.store, a)
	}
	if err := r.store.Sessions().SetSetting(t.Context(), "pack.digest", packDigest); err != nil {
		t.Fatal(err)
	}
	r.options = session.Options{
		Runtime: r.runtime, Packs: r.runtime, Workspaces: r.workspaces, GPUs: r.gpus, Sockets: r.sockets,
		Store: r.store.Sessions(), Publish: r.publish,
		UserLimit:    func(context.Context, string) (int, error) { return 1, nil },
		StartTimeout: 30 * time.Second, StopGrace: time.Second, PollInterval: 200 * time.Millisecond,
		RetryFirst: time.Millisecond, RetryMax: 20 * time.Millisecond, GPUIdleTimeout: 50 * time.Millisecond,
	}
	if edit != nil {
		edit(&r.options)
	}
	r.run()
	t.Cleanup(func() {
		r.stop()
		slugs, err := r.sockets.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, slug := range slugs {
			if err := r.sockets.Remove(context.Background(), slug); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// newStillRig makes a rig whose service looks at what is there only when it is
// asked to. By itself a service looks twice, at its start and once it follows
// exits, and would take away what a test has only half made. The second of
// these looks is over when the look that is asked for after it is.
func newStillRig(t *testing.T, cfg store.Config, gpus int) *rig {
	t.Helper()
	looks := &countedLists{}
	r := newRig(t, cfg, gpus, func(o *session.Options) {
		looks.Runtime, o.Runtime = o.Runtime, looks
		o.PollInterval = 1 << 40
	})
	r.eventually("the service's own looks", func() bool { return looks.lists.Load() >= 2 })
	if _, err := r.Reconcile(t.Context(), auth.Daemon()); err != nil {
		t.Fatal(err)
	}
	return r
}

// countedLists counts how often containers were listed, as each look does once.
type countedLists struct {
	session.Runtime
	lists atomic.Int32
}

func (c *countedLists) List(ctx context.Context) ([]session.Container, error) {
	c.lists.Add(1)
	return c.Runtime.List(ctx)
}

func addUser(t *testing.T, db *store.DB, a auth.Actor) {
	t.Helper()
	if err := db.Accounts().CreateUser(t.Context(), newUser(a)); err != nil {
		t.Fatal(err)
	}
}

// run starts a service on what is there, as a daemon's start does.
func (r *rig) run() {
	r.Service = session.NewService(r.options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := r.Service
	go func() {
		defer close(done)
		_ = s.Run(ctx) // its error is ctx's end
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// restart ends the service and starts another one.
func (r *rig) restart() {
	r.stop()
	r.run()
}

func (r *rig) publish(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// seen returns the types of a session's events, in order, stages by name.
func (r *rig) seen(id string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		if e.SessionID != id {
			continue
		}
		name := string(e.Type)
		if stage, ok := e.Data["stage"].(string); ok {
			name += " " + stage
		}
		out = append(out, name)
	}
	return out
}

func (r *rig) has(t event.Type) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.events, func(e event.Event) bool { return e.Type == t })
	}
}

// start starts a session for a and waits until it runs and the proxy, which
// learns it after the database, lets people in.
func (r *rig) start(a auth.Actor, req session.StartRequest) session.Session {
	r.t.Helper()
	s, err := r.Start(r.t.Context(), a, req)
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	row := r.await(s.ID, session.Running)
	r.eventually("the proxy knows", func() bool { v, ok := r.BySlug(s.Slug); return ok && v.Running })
	return row
}

func (r *rig) await(id string, want session.Status) session.Session {
	r.t.Helper()
	var row session.Session
	r.eventually("session "+string(want), func() bool {
		var err error
		if row, err = r.store.Sessions().Get(r.t.Context(), id); err != nil {
			r.t.Fatal(err)
		}
		if row.Status.Terminal() && row.Status != want {
			r.t.Fatalf("session is %s (%s): %s; want %s", row.Status, row.StopReason, row.ErrorMessage, want)
		}
		return row.Status == want
	})
	return row
}

// startSilent asks for a session and returns it when its process runs; its IDE
// does not answer before sockets.set(true, nil).
func (r *rig) startSilent(a auth.Actor) session.Session {
	r.t.Helper()
	r.sockets.set(false, nil)
	s, err := r.Start(r.t.Context(), a, session.StartRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.eventually("the task", func() bool { c, err := r.runtime.Inspect(r.t.Context(), s.Slug); return err == nil && c.Running })
	return s
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	watch.Until(r.t, what, ok)
}

// clean asserts that nothing of any session is left but its files.
func (r *rig) clean() {
	r.t.Helper()
	claims, err := r.store.Sessions().Claims(r.t.Context())
	if err != nil || len(claims) > 0 {
		r.t.Errorf("claims left: %v, %v", claims, err)
	}
	if left := r.runtime.Leftovers(); len(left) > 0 {
		r.t.Errorf("left in the runtime: %v", left)
	}
	folders, err := r.sockets.List(r.t.Context())
	if err != nil || len(folders) > 0 {
		r.t.Errorf("socket folders left: %v, %v", folders, err)
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Errorf("error = %v (%s %s), want %s %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

// ideSockets are real folders whose IDE is answered by the test.
type ideSockets struct {
	session.Sockets
	mu      sync.Mutex
	answers bool
	mute    bool // takes connections and says nothing on them
	err     error
	conns   map[net.Conn]bool
}

func (s *ideSockets) set(answers bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.err = answers, err
}

func (s *ideSockets) DialIDE(ctx context.Context, slug string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.mute {
		ours, _ := net.Pipe()
		return ours, nil
	}
	if !s.answers {
		return nil, fault.New(fault.Unavailable, "sockets/ide-not-there", "Nothing is there yet.")
	}
	ours, theirs := net.Pipe()
	go func() {
		l := &oneConn{c: theirs, done: make(chan struct{})}
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "alive", "lastHeartbeat": 1})
		}))
	}()
	return ours, nil
}

// oneConn is a listener with one connection.
type oneConn struct {
	c    net.Conn
	once sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.once.Do(func() { c = closing{l.c, l.done} })
	if c != nil {
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.c.LocalAddr() }

type closing struct {
	net.Conn
	done chan struct{}
}

func (c closing) Close() error {
	err := c.Conn.Close()
	select {
	case <-c.done:
	default:
		close(c.done)
	}
	return err
}

// flakyWorkspaces are real workspaces whose snapshots can be made to fail.
type flakyWorkspaces struct {
	session.Workspaces
	mu    sync.Mutex
	fails []error // answers of the next snapshots; the last one stays when always
	keep  bool
}

func (w *flakyWorkspaces) failSnapshots(always bool, errs ...error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails, w.keep = errs, always
}

func (w *flakyWorkspaces) Snapshot(ctx context.Context, ref session.Ref, name string) (session.Snapshot, error) {
	w.mu.Lock()
	if len(w.fails) > 0 {
		err := w.fails[0]
		if !w.keep || len(w.fails) > 1 {
			w.fails = w.fails[1:]
		}
		w.mu.Unlock()
		return session.Snapshot{}, err
	}
	w.mu.Unlock()
	return w.Workspaces.Snapshot(ctx, ref, name)
}

// write puts a file into a session's workspace.
func (r *rig) write(s session.Session, name, text string) {
	r.t.Helper()
	path, err := r.workspaces.Path(r.t.Context(), s.Ref())
	if err == nil {
		err = os.WriteFile(path+"/"+name, []byte(text), 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(s session.Session, name string) string {
	r.t.Helper()
	path, err := r.workspaces.Path(r.t.Context(), s.Ref())
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := os.ReadFile(path + "/" + name)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
