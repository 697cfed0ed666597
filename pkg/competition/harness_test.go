package competition_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/competitions"
	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var admin = auth.Actor{UserID: "00000000-0000-4000-8000-000000000001", Name: "root", Role: auth.RoleAdmin, Via: auth.ViaSocket}

// world is a service on a real database.
type world struct {
	*competition.Service
	t     testing.TB
	dir   string
	db    *store.DB
	users int

	mu     sync.Mutex
	now    time.Time
	events []event.Event
}

type setting = func(*competition.Options)

func newWorld(t testing.TB, db *store.DB, set ...setting) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), db: db, now: noon}
	w.open(set...)
	return w
}

// open starts the service, anew if it was there: as a restart does.
func (w *world) open(set ...setting) {
	w.t.Helper()
	o := competition.Options{Store: w.db.Competitions(), Dir: w.dir, BuiltIn: competitions.FS, Poll: 20 * time.Millisecond,
		Scorers: 2, MaxUploads: 64, Now: w.clock, Publish: func(e event.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}}
	for _, f := range set {
		f(&o)
	}
	var err error
	if w.Service, err = competition.New(o); err != nil {
		w.t.Fatal(err)
	}
	ok(w.t, w.InstallBuiltIn(ctx(w.t)))
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) published(kind event.Type) (out []event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Type == kind {
			out = append(out, e)
		}
	}
	return out
}

// run scores until the test ends or stop is called.
func (w *world) run() (stop func()) {
	end, ended := w.begin()
	return func() { end(); <-ended }
}

// begin is run for who wants something to happen between the asking and the end.
func (w *world) begin() (end func(), ended <-chan struct{}) {
	c, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(c) }()
	w.t.Cleanup(func() { cancel(); <-done })
	return cancel, done
}

func (w *world) user() auth.Actor {
	w.t.Helper()
	w.mu.Lock()
	w.users++
	n := w.users
	w.mu.Unlock()
	u := account.User{ID: uuid.NewString(), Email: uuid.NewString() + "@example.org", Name: fmt.Sprintf("name %d", n), Role: auth.RoleUser, CreatedAt: noon}
	ok(w.t, w.db.Accounts().CreateUser(ctx(w.t), u))
	return auth.Actor{UserID: u.ID, Name: u.Name, Role: auth.RoleUser, Via: auth.ViaCookie}
}

func (w *world) submit(a auth.Actor, slug, file string) (competition.Receipt, error) {
	return w.Submit(ctx(w.t), a, slug, competition.Upload{Filename: "p.csv", Size: int64(len(file)), File: strings.NewReader(file)})
}

// scored submits, and waits for what comes of it.
func (w *world) scored(a auth.Actor, slug, file string) competition.Submission {
	w.t.Helper()
	r, err := w.submit(a, slug, file)
	ok(w.t, err)
	return w.settled(a, r.Submission.ID)
}

func (w *world) settled(a auth.Actor, id string) (s competition.Submission) {
	w.t.Helper()
	watch.Until(w.t, "the submission is judged", func() bool {
		var err error
		s, err = w.Submission(ctx(w.t), a, id)
		ok(w.t, err)
		return s.Status == competition.Scored || s.Status == competition.Failed
	})
	return s
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return c
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		for _, f := range fieldsOf(err) {
			t.Logf("%s: %s (%s)", f.Loc, f.Msg, f.Type)
		}
		t.Fatal(err)
	}
}

func fieldsOf(err error) []fault.Field {
	if f := fault.As(err); f != nil {
		return f.Fields
	}
	return nil
}

func wantFault(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || code != "" && fault.CodeOf(err) != code {
		t.Fatalf("got %v (%s, %s), want %s %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

// toy is a small competition of four ids; the changes are replacements in its
// competition.yaml.
func toy(replace ...string) fstest.MapFS {
	yaml := strings.NewReplacer(replace...).Replace(`slug: toy
title: Toy
metric: accuracy
direction: maximize
id_column: id
targets:
  - name: label
    type: int
    min: 0
    max: 9
rows: 4
daily_cap: 3
attempts_per_day: 6
evaluation_split_version: v1
leaderboard: {}
`)
	return fstest.MapFS{
		"competition.yaml":      {Data: []byte(yaml)},
		"description.md":        {Data: []byte("# Toy\n")},
		"holdout.csv":           {Data: []byte("id,label\na,1\nb,2\nc,3\nd,4\n")},
		"sample_submission.csv": {Data: []byte("id,label\na,0\nb,0\nc,0\nd,0\n")},
	}
}

func (w *world) add(files fstest.MapFS) competition.Competition {
	w.t.Helper()
	c, err := w.Add(ctx(w.t), admin, archive(w.t, files))
	ok(w.t, err)
	return c
}

// labels makes a submission to the toy.
func labels(values ...int) string {
	out := "id,label\n"
	for i, v := range values {
		out += fmt.Sprintf("%c,%d\n", 'a'+i, v)
	}
	return out
}

func read(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	ok(t, err)
	return string(raw)
}

func shared(t testing.TB, name string) string {
	t.Helper()
	return promised.Shared(t, "../..", name)
}

func memory(t testing.TB) *store.DB { return storetest.New(t) }
