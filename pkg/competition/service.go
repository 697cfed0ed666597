package competition

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/scoring"
)

// Options is what a Service is made of.
type Options struct {
	Store Store
	// Dir is the data directory; the service makes competitions, datasets,
	// submissions, uploads and a folder for temporary files in it. What lies
	// there is for root alone: it holds the labels.
	Dir string
	// BuiltIn holds a bundle a folder; nil: none.
	BuiltIn fs.FS
	Publish func(event.Event) // nil: nobody is told

	MaxSubmission int64         // bytes; 64 MiB
	MaxBundle     int64         // bytes of an uploaded bundle, unpacked; 16 GiB
	MaxUploads    int           // at the same time; 8
	Scorers       int           // submissions scored at the same time; 1
	ScoreTimeout  time.Duration // for one submission; 5 min
	Lease         time.Duration // how long a worker that died keeps a submission; 60 s
	Poll          time.Duration // how often the queue is looked at unasked; 2 s

	Now    func() time.Time // time.Now
	Random io.Reader        // crypto/rand; ids
	Logger *slog.Logger     // discards
}

// Service is competitions: what there is, submissions, their scoring, boards.
type Service struct {
	o       Options
	uploads chan struct{} // one place an upload
	checks  chan struct{} // one place a file that is validated
	wake    chan struct{} // something was queued

	mu      sync.Mutex
	scorers map[string]*loaded
	waiting map[string][]chan struct{} // by submission: closed when it was scored or failed
	sending sync.Mutex                 // one part of a dataset's upload is written at a time
	install sync.Mutex                 // one bundle or dataset is put in place at a time
}

// loaded is a competition's scorer, made at its first use.
type loaded struct {
	manifest string // the bundle's digest
	once     sync.Once
	scorer   *scoring.Scorer
	err      error
}

// New makes a Service and its folders. Run scores.
func New(o Options) (*Service, error) {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxSubmission, 64<<20)
	def(&o.MaxBundle, 16<<30)
	defTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	defTime(&o.ScoreTimeout, 5*time.Minute)
	defTime(&o.Lease, time.Minute)
	defTime(&o.Poll, 2*time.Second)
	o.MaxUploads, o.Scorers = max(o.MaxUploads, 0), max(o.Scorers, 1)
	if o.MaxUploads == 0 {
		o.MaxUploads = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Publish == nil {
		o.Publish = func(event.Event) {}
	}
	if o.Store == nil || o.Dir == "" {
		return nil, errors.New("competition: Store and Dir are needed")
	}
	s := &Service{o: o, uploads: make(chan struct{}, o.MaxUploads), checks: make(chan struct{}, runtime.NumCPU()),
		wake: make(chan struct{}, o.Scorers), scorers: map[string]*loaded{}, waiting: map[string][]chan struct{}{}}
	for _, name := range []string{"competitions", "datasets", "submissions", "uploads"} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return nil, diskFault(err)
		}
	}
	// What a killed daemon left half written.
	if err := os.RemoveAll(s.path("tmp")); err != nil {
		return nil, diskFault(err)
	}
	if err := os.MkdirAll(s.path("tmp"), 0o700); err != nil {
		return nil, diskFault(err)
	}
	return s, diskFault(s.sweepUploads())
}

// uploadLife is how long an upload that broke off can be gone on with.
const uploadLife = 7 * 24 * time.Hour

func (s *Service) sweepUploads() error {
	entries, err := os.ReadDir(s.path("uploads"))
	for _, e := range entries {
		st, err := e.Info()
		if err != nil {
			return err
		}
		if s.now().Sub(st.ModTime()) > uploadLife {
			if err := os.Remove(s.path("uploads", e.Name())); err != nil {
				return err
			}
		}
	}
	return err
}

// path is below the data directory's part for competitions.
func (s *Service) path(parts ...string) string {
	if parts[0] == "tmp" {
		parts = append([]string{"competitions.tmp"}, parts[1:]...)
	}
	return filepath.Join(append([]string{s.o.Dir}, parts...)...)
}

func (s *Service) now() time.Time { return s.o.Now().UTC() }

func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.o.Random)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "competitions/random", "No id could be drawn.")
	}
	return id.String(), nil
}

// bundleDir is where a competition's files are: a folder for each state of its
// bundle, so that nothing that is being read is ever changed.
func (s *Service) bundleDir(c Competition) string {
	return s.path("competitions", c.Slug, c.ManifestSHA256)
}

// scorer returns the competition's scorer; the holdout is read once and then
// kept in memory.
func (s *Service) scorer(ctx context.Context, c Competition) (*scoring.Scorer, error) {
	s.mu.Lock()
	l := s.scorers[c.Slug]
	if l == nil || l.manifest != c.ManifestSHA256 {
		l = &loaded{manifest: c.ManifestSHA256}
		s.scorers[c.Slug] = l
	}
	s.mu.Unlock()
	l.once.Do(func() {
		var spec storedSpec
		if spec, l.err = c.spec(); l.err == nil {
			// Not the caller's context: others wait for the same scorer.
			l.scorer, l.err = loadScorer(context.WithoutCancel(ctx), os.DirFS(s.bundleDir(c)), spec.Spec())
		}
		if l.err == nil && l.scorer.Holdout().SHA256() != c.HoldoutSHA256 {
			l.err = fault.New(fault.Internal, "competitions/holdout-changed", "The holdout of %s is not the one that was added.", c.Slug)
		}
	})
	if l.err != nil {
		s.mu.Lock()
		if s.scorers[c.Slug] == l {
			delete(s.scorers, c.Slug) // the next one tries again
		}
		s.mu.Unlock()
		// Whatever is wrong with it is ours, and no submitter's mistake.
		return nil, fault.Wrap(l.err, fault.Unavailable, "competitions/not-ready",
			"Competition %s cannot score now. An admin sees why in the daemon's log.", c.Slug)
	}
	return l.scorer, nil
}

func needAdmin(a auth.Actor) error {
	if !a.Admin() {
		return fault.New(fault.Denied, "auth/admin-only", "Only an admin of this MedForge may do this.")
	}
	return nil
}

func needUser(a auth.Actor) error {
	if a.UserID == "" {
		return fault.New(fault.Unauthenticated, "auth/not-signed-in", "You are not signed in. Sign in on MedForge's page or with medforge login URL.")
	}
	return nil
}
