package competition

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/scoring"
)

// The files of a bundle. Whatever else there is stands below dataDir.
const (
	descriptionFile = "description.md"
	holdoutFile     = "holdout.csv"
	sampleFile      = "sample_submission.csv"
	dataDir         = "data"
)

// The most that is read of each.
const (
	maxManifestBytes    = 1 << 20
	maxDescriptionBytes = 1 << 20
	maxHoldoutBytes     = 1 << 30
	maxBundleFiles      = 200_000
)

// Bundle is a competition's folder, read and checked.
type Bundle struct {
	Manifest    Manifest
	Description string
	// SHA256 is of the list of its files with the digest of each: what a score
	// names as manifest_sha256.
	SHA256 string
	Scorer *scoring.Scorer

	files []BundleFile
}

// BundleFile is one file of a bundle or a dataset.
type BundleFile struct {
	Path   string // with slashes
	Bytes  int64
	SHA256 string
}

// LoadBundle reads and checks a bundle. Everything in it must be a regular
// file or a folder. Errors: Invalid CodeBundleInvalid with every mistake, each
// with its file, its line and what was expected; Unavailable, Timeout.
func LoadBundle(ctx context.Context, fsys fs.FS) (*Bundle, error) {
	b, wrong := &Bundle{}, &mistakes{}
	if err := b.list(ctx, fsys, wrong); err != nil {
		return nil, err
	}
	raw, there, err := b.text(fsys, manifestFile, maxManifestBytes, wrong)
	if err != nil {
		return nil, err
	}
	var where lines
	ok := false
	if there {
		b.Manifest, where, ok = parseManifest(raw, wrong)
	}
	description, _, err := b.text(fsys, descriptionFile, maxDescriptionBytes, wrong)
	if err != nil {
		return nil, err
	}
	b.Description = string(description)
	if ok {
		if err := b.check(ctx, fsys, where, wrong); err != nil {
			return nil, err
		}
	} else {
		b.need(holdoutFile, wrong)
		b.need(sampleFile, wrong)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return b, nil
}

// list goes through all files and works out the bundle's digest.
func (b *Bundle) list(ctx context.Context, fsys fs.FS, wrong *mistakes) error {
	var sum bytes.Buffer
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			wrong.add(path, "not_a_file", "it is a link or a special file; a bundle has regular files only")
			return nil
		case !known(path):
			wrong.add(path, "unexpected", "a bundle has %s, %s, %s, %s, README.md, LICENSE and files below %s/",
				manifestFile, descriptionFile, holdoutFile, sampleFile, dataDir)
			return nil
		case len(b.files) >= maxBundleFiles:
			return fault.New(fault.Invalid, CodeBundleInvalid, "The bundle has more than %d files.", maxBundleFiles)
		}
		f, err := digest(fsys, path)
		if err != nil {
			return err
		}
		b.files = append(b.files, f)
		fmt.Fprintf(&sum, "%s  %s\n", f.SHA256, f.Path)
		return nil
	})
	if err != nil {
		return readFault(err)
	}
	s := sha256.Sum256(sum.Bytes())
	b.SHA256 = hex.EncodeToString(s[:])
	return nil
}

func known(path string) bool {
	switch path {
	case manifestFile, descriptionFile, holdoutFile, sampleFile, "README.md", "LICENSE":
		return true
	}
	return strings.HasPrefix(path, dataDir+"/")
}

func digest(fsys fs.FS, path string) (BundleFile, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return BundleFile{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return BundleFile{Path: path, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

func (b *Bundle) file(path string) (BundleFile, bool) {
	for _, f := range b.files {
		if f.Path == path {
			return f, true
		}
	}
	return BundleFile{}, false
}

func (b *Bundle) need(path string, wrong *mistakes) bool {
	_, ok := b.file(path)
	if !ok {
		wrong.add(path, "missing", "the bundle lacks this file")
	}
	return ok
}

// text reads a small text file.
func (b *Bundle) text(fsys fs.FS, path string, most int64, wrong *mistakes) (raw []byte, there bool, err error) {
	if !b.need(path, wrong) {
		return nil, false, nil
	}
	f, _ := b.file(path)
	if f.Bytes > most {
		wrong.add(path, "too_large", "it has %d bytes; at most %d are taken", f.Bytes, most)
		return nil, false, nil
	}
	if raw, err = fs.ReadFile(fsys, path); err != nil {
		return nil, false, readFault(err)
	}
	if !utf8.Valid(raw) {
		wrong.add(path, "not_utf8", "it is not UTF-8")
		return nil, false, nil
	}
	return raw, true, nil
}

// check looks at what only shows with all files together.
func (b *Bundle) check(ctx context.Context, fsys fs.FS, where lines, wrong *mistakes) error {
	m := b.Manifest
	_ = wrong.take(m.Spec().Validate(), func(loc string) string { return where.at(manifestKey(loc)) }) // it has no other errors
	if metric, ok := scoring.LookupMetric(m.Metric); ok && metric.HigherIsBetter != (m.Direction == "maximize") {
		right := map[bool]string{true: "maximize", false: "minimize"}[metric.HigherIsBetter]
		wrong.add(where.at("direction"), "wrong_direction", "%s is better the %s it is; expected direction: %s",
			m.Metric, map[bool]string{true: "higher", false: "lower"}[metric.HigherIsBetter], right)
	}
	if m.AttemptsPerDay < m.DailyCap {
		wrong.add(where.at("attempts_per_day"), "out_of_range", "it is below daily_cap, %d", m.DailyCap)
	}
	hasHoldout, hasSample := b.need(holdoutFile, wrong), b.need(sampleFile, wrong)
	if f, _ := b.file(holdoutFile); f.Bytes > maxHoldoutBytes {
		wrong.add(holdoutFile, "too_large", "it has %d bytes; at most %d are taken", f.Bytes, maxHoldoutBytes)
		hasHoldout = false
	}
	if !hasHoldout || m.Spec().Validate() != nil {
		return nil
	}
	scorer, err := loadScorer(ctx, fsys, m.Spec())
	if err != nil {
		return wrong.take(err, prefixed(holdoutFile))
	}
	b.Scorer = scorer
	if !hasSample {
		return nil
	}
	f, err := fsys.Open(sampleFile)
	if err != nil {
		return readFault(err)
	}
	defer f.Close()
	return wrong.take(scorer.Check(ctx, f), prefixed(sampleFile))
}

// manifestKey is competition.yaml's name of a key of scoring.Spec.
func manifestKey(loc string) string {
	if rest, ok := strings.CutPrefix(loc, "options"); ok {
		return "metric_options" + rest
	}
	return loc
}

func loadScorer(ctx context.Context, fsys fs.FS, spec scoring.Spec) (*scoring.Scorer, error) {
	f, err := fsys.Open(holdoutFile)
	if err != nil {
		return nil, readFault(err)
	}
	defer f.Close()
	h, err := scoring.LoadHoldout(ctx, spec, f)
	if err != nil {
		return nil, err
	}
	return scoring.NewScorer(spec, h)
}

// readFault is the kind of an error of our own disk.
func readFault(err error) error {
	if err == nil || fault.As(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "competitions/storage", "The competition's files cannot be read now. Try again; an admin sees more in the daemon's log.")
}

// row is the competition as the store keeps it.
func (b *Bundle) row(origin Origin) (Competition, error) {
	m := b.Manifest
	metric := b.Scorer.Metric()
	c := Competition{
		Slug: m.Slug, Title: m.Title, Description: b.Description, State: m.Status, Tier: m.CompetitionTier,
		Metric: metric.Name, MetricVersion: metric.Version, HigherIsBetter: metric.HigherIsBetter,
		SplitVersion: m.EvaluationSplitVersion, SpecVersion: m.CompetitionSpecVersion, ScoringMode: m.ScoringMode,
		LeaderboardRule: m.LeaderboardRule, EvaluationPolicy: m.EvaluationPolicy, Permanent: m.IsPermanent,
		DailyCap: m.DailyCap, AttemptCap: m.AttemptsPerDay,
		ManifestSHA256: b.SHA256, HoldoutSHA256: b.Scorer.Holdout().SHA256(),
	}
	if m.Dataset != nil {
		c.DatasetSlug = m.Dataset.Slug
	}
	var err error
	c.Spec, err = json.Marshal(storedSpec{Manifest: m, Origin: origin})
	return c, err
}

// Origin says where a competition came from.
type Origin string

// The origins.
const (
	BuiltIn Origin = "builtin" // embedded; the daemon keeps it up to date
	Added   Origin = "added"   // by an admin; the daemon leaves it alone
)

// storedSpec is what Competition.Spec holds.
type storedSpec struct {
	Manifest
	Origin Origin `json:"origin"`
}

func (c Competition) spec() (storedSpec, error) {
	var s storedSpec
	if err := json.Unmarshal(c.Spec, &s); err != nil {
		return s, fault.Wrap(err, fault.Internal, "competitions/spec", "The competition %s is kept in a form that cannot be read.", c.Slug)
	}
	return s, nil
}
