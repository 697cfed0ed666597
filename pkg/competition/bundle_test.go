package competition_test

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/medforge/medforge/competitions"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

func TestBuiltInBundlesAreGood(t *testing.T) {
	t.Parallel()
	for slug, want := range map[string]struct {
		rows, cap int
		split     string
	}{
		"titanic-survival":         {418, 20, "titanic-v1"},
		"cifar-100-classification": {500, 20, "demo-v1"},
		"rsna-pneumonia-detection": {120, 10, "demo-v1"},
	} {
		sub, err := fs.Sub(competitions.FS, slug)
		ok(t, err)
		b, err := competition.LoadBundle(ctx(t), sub)
		ok(t, err)
		if b.Manifest.Slug != slug || b.Scorer.Holdout().Rows() != want.rows || b.Manifest.DailyCap != want.cap || b.Manifest.EvaluationSplitVersion != want.split {
			t.Errorf("%s: %+v", slug, b.Manifest)
		}
	}
}

func TestEveryMistakeIsSaidAtOnceWithItsPlace(t *testing.T) {
	t.Parallel()
	without := func(f fstest.MapFS, name string) fstest.MapFS { delete(f, name); return f }
	with := func(f fstest.MapFS, name, data string) fstest.MapFS {
		f[name] = &fstest.MapFile{Data: []byte(data)}
		return f
	}
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  []string // loc, then a part of the message
	}{
		"several": {with(without(toy("metric: accuracy", "metric: acuracy", "rows: 4", "rows: -4", "title: Toy\n", "\n", "daily_cap: 3", "daily_cap: many"), "sample_submission.csv"), "extra.txt", "x"),
			[]string{"competition.yaml:1|title", "competition.yaml:11, rows|", "competition.yaml:12, daily_cap|integer",
				"sample_submission.csv|lacks", "extra.txt|a bundle has"}},
		"metric":           {toy("metric: accuracy", "metric: acuracy"), []string{"competition.yaml:3, metric|there is no metric"}},
		"direction":        {toy("maximize", "minimize"), []string{"competition.yaml:4, direction|expected direction: maximize"}},
		"unknown key":      {toy("rows: 4", "rwos: 4"), []string{"competition.yaml|rwos"}},
		"no bound":         {toy("    max: 9\n", ""), []string{"competition.yaml:7, targets[0]|min and max"}},
		"twice":            {toy("rows: 4", "rows: 4\nrows: 5"), []string{"competition.yaml:1|"}},
		"alias":            {toy("title: Toy", "title: &x Toy", "rows: 4", "source: *x"), []string{"competition.yaml|anchors"}},
		"not yaml":         {with(toy(), "competition.yaml", "slug: [\n"), []string{"competition.yaml|not YAML"}},
		"list":             {with(toy(), "competition.yaml", "- a\n"), []string{"competition.yaml|keys and values"}},
		"slug with dots":   {toy("slug: toy", "slug: ../toy"), []string{"competition.yaml:1, slug|"}},
		"few rows":         {toy("rows: 4", "rows: 5"), []string{"holdout.csv|"}},
		"holdout's label":  {with(toy(), "holdout.csv", "id,label\na,1\nb,77\nc,3\nd,4\n"), []string{"holdout.csv, row 3, column label|out of range"}},
		"sample's id":      {with(toy(), "sample_submission.csv", "id,label\na,0\nb,0\nc,0\nz,0\n"), []string{"sample_submission.csv, row 5|", "sample_submission.csv|"}},
		"nan bound":        {toy("min: 0", "min: .nan"), []string{"competition.yaml:9, targets[0].min|finite"}},
		"attempts":         {toy("attempts_per_day: 6", "attempts_per_day: 2"), []string{"competition.yaml:13, attempts_per_day|below daily_cap"}},
		"description":      {with(toy(), "description.md", "\xff"), []string{"description.md|UTF-8"}},
		"nothing":          {fstest.MapFS{}, []string{"competition.yaml|lacks", "description.md|lacks", "holdout.csv|lacks", "sample_submission.csv|lacks"}},
		"link":             {func() fstest.MapFS { f := toy(); f["data/x"] = &fstest.MapFile{Mode: fs.ModeSymlink}; return f }(), []string{"data/x|link"}},
		"two-byte UTF-16":  {with(toy(), "competition.yaml", "\xff\xfes\x00"), []string{"competition.yaml|"}},
		"lines above this": {toy("title: Toy", "# a comment\n\ntitle: Toy\nstatus: shut"), []string{"competition.yaml:5, status|"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := competition.LoadBundle(ctx(t), c.files)
			wantFault(t, err, fault.Invalid, competition.CodeBundleInvalid)
			all := ""
			for _, f := range fieldsOf(err) {
				all += f.Loc + "|" + f.Msg + "\n"
			}
			for _, want := range c.want {
				loc, msg, _ := strings.Cut(want, "|")
				found := false
				for _, f := range fieldsOf(err) {
					found = found || strings.HasPrefix(f.Loc, loc) && strings.Contains(f.Msg, msg)
				}
				if !found {
					t.Errorf("nothing says %q; it says\n%s", want, all)
				}
			}
			if strings.Contains(all, "77") {
				t.Error("a label of the holdout is shown")
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t), func(o *competition.Options) { o.MaxBundle = 1 << 20 })
	outside := filepath.Join(w.dir, "outside")
	for name, m := range map[string][]member{
		"dot dot":       {{Header: tar.Header{Name: "../outside"}, data: "x"}},
		"deep dot dot":  {{Header: tar.Header{Name: "data/../../outside"}, data: "x"}},
		"absolute":      {{Header: tar.Header{Name: outside}, data: "x"}},
		"symlink":       {{Header: tar.Header{Name: "data", Typeflag: tar.TypeSymlink, Linkname: w.dir}}, {Header: tar.Header{Name: "data/outside"}, data: "x"}},
		"hard link":     {{Header: tar.Header{Name: "holdout.csv", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}},
		"device":        {{Header: tar.Header{Name: "data/x", Typeflag: tar.TypeBlock, Devmajor: 8}}},
		"fifo":          {{Header: tar.Header{Name: "data/x", Typeflag: tar.TypeFifo}}},
		"huge":          {{Header: tar.Header{Name: "data/x", Size: 10 << 30}}},
		"huge together": {{Header: tar.Header{Name: "data/x"}, data: strings.Repeat("x", 600<<10)}, {Header: tar.Header{Name: "data/y"}, data: strings.Repeat("x", 600<<10)}},
		"twice":         {{Header: tar.Header{Name: "holdout.csv"}, data: "x"}, {Header: tar.Header{Name: "holdout.csv"}, data: "y"}},
		"backslash":     {{Header: tar.Header{Name: `data\..\..\outside`}, data: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Add(ctx(t), admin, hostileTar(t, m...))
			wantFault(t, err, fault.Invalid, "competitions/archive-refused")
			if _, err := os.Lstat(outside); err == nil {
				t.Error("it got out")
			}
			if left, _ := os.ReadDir(filepath.Join(w.dir, "competitions.tmp")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	for name, raw := range map[string]string{"not an archive": strings.Repeat("zip", 1000), "cut off": func() string {
		raw, err := io.ReadAll(archive(t, toy()))
		ok(t, err)
		return string(raw[:700])
	}()} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Add(ctx(t), admin, strings.NewReader(raw))
			wantFault(t, err, fault.Invalid, "")
		})
	}
}

func TestOnlyAdminsAdd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	_, err := w.Add(ctx(t), w.user(), archive(t, toy()))
	wantFault(t, err, fault.Denied, "")
	inside := admin
	inside.Via = "session"
	_, err = w.Add(ctx(t), inside, archive(t, toy()))
	wantFault(t, err, fault.Denied, "")
}
