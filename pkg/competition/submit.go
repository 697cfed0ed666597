package competition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// MaxMessage is the most characters in a submission's message.
const MaxMessage = 500

// Upload is a file of predictions on its way in.
type Upload struct {
	Filename string
	Size     int64 // bytes; -1 when not known
	File     io.Reader
	// Message is called after File was read to its end: in a form it may come
	// later. Nil: there is none.
	Message func() (string, error)
}

// Receipt is the answer to a submission.
type Receipt struct {
	Submission Submission
	DailyCap   int
	Remaining  int       // today, with this one counted
	ResetsAt   time.Time // when the day's places are there again
}

// Admit decides whether a user may submit at all now, before a byte of the
// file is read, whose size is -1 when it is not known. Errors: NotFound, Conflict
// "competitions/closed", Invalid "competitions/submission-too-large",
// LimitReached "competitions/submission-cap-reached" with when it resets.
func (s *Service) Admit(ctx context.Context, a auth.Actor, slug string, size int64) (Competition, error) {
	if err := needUser(a); err != nil {
		return Competition{}, err
	}
	c, err := s.o.Store.Competition(ctx, slug)
	if err != nil {
		return c, err
	}
	if c.State != Open {
		return c, fault.New(fault.Conflict, "competitions/closed", "Competition %s takes no submissions any more.", slug)
	}
	if size > s.o.MaxSubmission {
		return c, s.tooLarge()
	}
	u, err := s.o.Store.Usage(ctx, slug, a.UserID, DayOf(s.now()))
	if err != nil {
		return c, err
	}
	if u.Counted >= c.DailyCap {
		return c, s.capReached(c)
	}
	return c, nil
}

func (s *Service) capReached(c Competition) error {
	now := s.now()
	reset := NextDay(now)
	return fault.New(fault.LimitReached, "competitions/submission-cap-reached",
		"You have used all %d of today's submissions to %s. The count starts anew at %s.",
		c.DailyCap, c.Slug, reset.Format(time.RFC3339)).After(reset.Sub(now).Round(time.Second))
}

func (s *Service) tooLarge() error {
	return fault.New(fault.Invalid, "competitions/submission-too-large",
		"The file is larger than the %d bytes that are taken.", s.o.MaxSubmission)
}

// Submit keeps, validates and queues a file of predictions. Errors: Admit's;
// LimitReached "competitions/attempts-exhausted"; Invalid
// "competitions/submission-validation-failed" with every kind of mistake,
// "competitions/invalid-message"; Busy
// "competitions/too-many-uploads". What is refused takes none of the day's
// places.
func (s *Service) Submit(ctx context.Context, a auth.Actor, slug string, in Upload) (Receipt, error) {
	c, err := s.Admit(ctx, a, slug, in.Size)
	if err != nil {
		return Receipt{}, err
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return Receipt{}, fault.New(fault.TooMany, "competitions/too-many-uploads",
			"Too many files are being sent at once. Try again in a moment.").After(2 * time.Second)
	}
	now := s.now()
	err = s.o.Store.CountAttempt(ctx, slug, a.UserID, DayOf(now), c.AttemptCap)
	if fault.Is(err, fault.LimitReached) {
		return Receipt{}, fault.As(err).After(NextDay(now).Sub(now).Round(time.Second))
	}
	if err != nil {
		return Receipt{}, err
	}
	sub := Submission{Competition: slug, UserID: a.UserID, Filename: cleanFilename(in.Filename)}
	if a.Via == auth.ViaSession {
		sub.SessionID = a.SessionID
	}
	if sub.ID, err = s.newID(); err != nil {
		return Receipt{}, err
	}
	tmp, err := s.receive(ctx, in.File, &sub)
	if tmp != nil {
		defer os.Remove(tmp.Name()) // fails when it was moved to its place
		defer tmp.Close()
	}
	if err != nil {
		return Receipt{}, err
	}
	if in.Message != nil {
		if sub.Message, err = in.Message(); err != nil {
			return Receipt{}, err
		}
	}
	if err := checkMessage(sub.Message); err != nil {
		return Receipt{}, err
	}
	if err := s.validate(ctx, c, tmp); err != nil {
		return Receipt{}, err
	}
	return s.queue(ctx, a, c, sub, tmp)
}

// receive writes the file to a temporary one and works out its digest.
func (s *Service) receive(ctx context.Context, r io.Reader, sub *Submission) (*os.File, error) {
	tmp, err := os.CreateTemp(s.path("tmp"), "submission-")
	if err != nil {
		return nil, diskFault(err)
	}
	h := sha256.New()
	src := &source{ctx: ctx, r: io.LimitReader(r, s.o.MaxSubmission+1)}
	n, err := io.Copy(io.MultiWriter(tmp, h), src)
	switch {
	case src.err != nil:
		if fault.As(src.err) != nil || errors.Is(src.err, context.Canceled) {
			return tmp, src.err
		}
		return tmp, fault.Wrap(src.err, fault.Invalid, "competitions/upload-broke-off", "The file did not arrive whole. Send it again; this try took none of today's submissions.")
	case err != nil:
		return tmp, diskFault(err)
	case n > s.o.MaxSubmission:
		return tmp, s.tooLarge()
	}
	sub.SizeBytes, sub.SHA256 = n, hex.EncodeToString(h.Sum(nil))
	return tmp, nil
}

// source tells an error of the sender's from one of our disk, and ends with
// its context.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
	return n, err
}

// validate scores the file and forgets the score, so that every mistake, and
// predictions for which the metric has no value, are told at once.
func (s *Service) validate(ctx context.Context, c Competition, f *os.File) error {
	scorer, err := s.scorer(ctx, c)
	if err != nil {
		return err
	}
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return diskFault(err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.ScoreTimeout)
	defer cancel()
	_, err = scorer.Score(ctx, f)
	return err
}

// queue puts the file in its place and the submission into the queue, both or
// neither.
func (s *Service) queue(ctx context.Context, a auth.Actor, c Competition, sub Submission, tmp *os.File) (Receipt, error) {
	final := s.submissionFile(sub.ID)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return Receipt{}, diskFault(err)
	}
	if err := tmp.Sync(); err != nil {
		return Receipt{}, diskFault(err)
	}
	if err := os.Rename(tmp.Name(), final); err != nil {
		return Receipt{}, diskFault(err)
	}
	if err := syncDir(filepath.Dir(final)); err != nil {
		return Receipt{}, diskFault(errors.Join(err, os.Remove(final)))
	}
	sub.CreatedAt = s.now()
	sub.Day = DayOf(sub.CreatedAt)
	sub, usage, err := s.o.Store.CreateSubmission(ctx, sub, c.DailyCap)
	if err != nil {
		s.forget(ctx, sub.ID, final)
		if fault.Is(err, fault.LimitReached) {
			return Receipt{}, s.capReached(c)
		}
		return Receipt{}, err
	}
	s.o.Publish(event.Event{Type: event.Submission, UserID: a.UserID, SessionID: sub.SessionID, ActorID: a.UserID,
		Data: map[string]any{"competition": c.Slug, "submission_id": sub.ID}})
	s.stir()
	return Receipt{Submission: sub, DailyCap: c.DailyCap, Remaining: max(0, c.DailyCap-usage.Counted), ResetsAt: NextDay(sub.CreatedAt)}, nil
}

// forget removes the file of a submission that was not queued. If the database
// cannot say that it was not, the file stays.
func (s *Service) forget(ctx context.Context, id, file string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := s.o.Store.Submission(ctx, id); fault.Is(err, fault.NotFound) {
		if err := os.Remove(file); err != nil {
			s.o.Logger.Error("a refused submission's file stays", "file", file, "error", err)
		}
	}
}

func (s *Service) submissionFile(id string) string { return s.path("submissions", id[:2], id+".csv") }

// stir wakes a worker.
func (s *Service) stir() {
	select {
	case s.wake <- struct{}{}:
	default: // all are awake
	}
}

// cleanFilename keeps what is a name in what the sender called the file.
func cleanFilename(name string) string {
	name = strings.ToValidUTF8(name[strings.LastIndexAny(name, `/\`)+1:], "?")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	for len(name) > 200 {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	if name == "" || name == "." || name == ".." {
		return "predictions.csv"
	}
	return name
}

func checkMessage(m string) error {
	bad := ""
	switch {
	case !utf8.ValidString(m):
		bad = "it is not UTF-8"
	case utf8.RuneCountInString(m) > MaxMessage:
		bad = fmt.Sprintf("it has %d characters", utf8.RuneCountInString(m))
	case strings.ContainsRune(m, 0):
		bad = "it has a NUL in it"
	default:
		return nil
	}
	return fault.New(fault.Invalid, "competitions/invalid-message", "The message is refused: %s. It takes up to %d characters of text.", bad, MaxMessage).
		With(fault.Field{Loc: "message", Type: "invalid", Msg: bad})
}
