package competition

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/scoring"
)

// codabench is what is read of Codabench's competition.yaml. Source:
// https://docs.codabench.org/latest/Organizers/Benchmark_Creation/Yaml-Structure/
type codabench struct {
	Title        string           `yaml:"title"`
	Description  string           `yaml:"description"`
	Pages        []codabenchPage  `yaml:"pages"`
	Phases       []codabenchPhase `yaml:"phases"`
	Tasks        []codabenchTask  `yaml:"tasks"`
	Leaderboards []struct {
		Title   string            `yaml:"title"`
		Columns []codabenchColumn `yaml:"columns"`
	} `yaml:"leaderboards"`
	Other map[string]any `yaml:",inline"`
}

type codabenchPage struct {
	Title string `yaml:"title"`
	File  string `yaml:"file"`
}

type codabenchPhase struct {
	Name   string         `yaml:"name"`
	Tasks  []int          `yaml:"tasks"`
	PerDay int            `yaml:"max_submissions_per_day"`
	Other  map[string]any `yaml:",inline"`
}

type codabenchTask struct {
	Name      string         `yaml:"name"`
	Reference string         `yaml:"reference_data"`
	Other     map[string]any `yaml:",inline"`
}

type codabenchColumn struct {
	Title   string `yaml:"title"`
	Key     string `yaml:"key"`
	Index   int    `yaml:"index"`
	Sorting string `yaml:"sorting"` // "desc" (more is better, the default) or "asc"
}

// metricAliases are names that Codabench's bundles give to our metrics.
func metricAliases() map[string]string {
	return map[string]string{"acc": "accuracy", "bac": "balanced_accuracy", "bal_acc": "balanced_accuracy", "f1": "f1_macro",
		"macro_f1": "f1_macro", "micro_f1": "f1_micro", "auc": "roc_auc", "roc_auc_score": "roc_auc", "ap": "average_precision",
		"logloss": "log_loss", "cross_entropy": "log_loss", "root_mean_squared_error": "rmse", "mean_absolute_error": "mae",
		"r2_score": "r2", "qwk": "quadratic_weighted_kappa", "matthews": "mcc", "spearman_correlation": "spearman"}
}

// codabenchZip bounds a Codabench bundle and what is in it.
const codabenchZip = 2 << 30

// ImportCodabench converts a Codabench bundle, a zip, and adds it. The notes
// say what was not taken over. Errors: Denied; Invalid CodeBundleInvalid with
// everything that stands against a conversion.
func (s *Service) ImportCodabench(ctx context.Context, a auth.Actor, r io.Reader) (c Competition, notes []string, err error) {
	if err := needAdmin(a); err != nil {
		return c, nil, err
	}
	f, err := os.CreateTemp(s.path("tmp"), "codabench-")
	if err != nil {
		return c, nil, diskFault(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	src := &source{ctx: ctx, r: io.LimitReader(r, codabenchZip+1)}
	n, err := io.Copy(f, src)
	switch {
	case src.err != nil:
		return c, nil, archiveFault(src.err, src.err)
	case err != nil:
		return c, nil, diskFault(err)
	case n > codabenchZip:
		return c, nil, refused("the archive", "is too large")
	}
	z, err := openZip(f, n, zipLimits{files: 10_000, bytes: 4 * codabenchZip})
	if err != nil {
		return c, nil, err
	}
	files, notes, err := convertCodabench(z)
	if err != nil {
		return c, nil, err
	}
	tmp, err := os.MkdirTemp(s.path("tmp"), "bundle-")
	if err != nil {
		return c, nil, diskFault(err)
	}
	defer os.RemoveAll(tmp)
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return c, nil, diskFault(err)
	}
	defer root.Close()
	for name, raw := range files {
		if err := writeFile(root, name, bytes.NewReader(raw)); err != nil {
			return c, nil, diskFault(err)
		}
	}
	c, err = s.put(ctx, tmp, Added)
	return c, notes, err
}

// convertCodabench makes the files of a bundle.
func convertCodabench(z *zip.Reader) (map[string][]byte, []string, error) {
	at := slices.IndexFunc(z.File, func(f *zip.File) bool { return path.Base(f.Name) == manifestFile && strings.Count(f.Name, "/") <= 1 })
	wrong := &mistakes{}
	if at < 0 {
		wrong.add(manifestFile, "missing", "the archive has no competition.yaml, so it is no Codabench bundle")
		return nil, nil, wrong.err()
	}
	raw, err := readZip(z.File[at], maxManifestBytes)
	if err != nil {
		return nil, nil, err
	}
	var b codabench
	if err := yaml.Unmarshal(raw, &b); err != nil {
		wrong.add(manifestFile, "not_yaml", "it cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, nil, wrong.err()
	}
	conv := &conversion{z: z, dir: path.Dir(z.File[at].Name), b: b, wrong: wrong}
	conv.run()
	if err := wrong.err(); err != nil {
		return nil, nil, err
	}
	m, err := yaml.Marshal(conv.manifest)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, "competitions/codabench", "The converted bundle cannot be written.")
	}
	return map[string][]byte{manifestFile: m, descriptionFile: []byte(conv.description()), holdoutFile: conv.holdout, sampleFile: conv.sample}, conv.notes, nil
}

// conversion is one bundle on its way.
type conversion struct {
	z     *zip.Reader
	dir   string
	b     codabench
	wrong *mistakes
	notes []string

	manifest        map[string]any
	holdout, sample []byte
}

func (c *conversion) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func (c *conversion) run() {
	if len(c.b.Phases) != 1 {
		c.wrong.add(manifestFile+", phases", "phases", "a MedForge competition has one phase, this has %d", len(c.b.Phases))
	}
	if len(c.b.Tasks) != 1 {
		c.wrong.add(manifestFile+", tasks", "tasks", "a MedForge competition has one task, this has %d", len(c.b.Tasks))
	}
	metric, ok := c.metric()
	if len(c.b.Tasks) == 1 && ok {
		c.labels(metric)
	}
	if len(c.wrong.fields) > 0 {
		return
	}
	daily := min(max(c.b.Phases[0].PerDay, 0), 10_000)
	if daily == 0 {
		daily = 20
		c.note("max_submissions_per_day is not set: 20 a day")
	}
	c.manifest["slug"], c.manifest["title"] = codabenchSlug(c.b.Title), strings.TrimSpace(c.b.Title)
	c.manifest["daily_cap"] = daily
	for key := range c.b.Other {
		c.note("%s is not taken over", key)
	}
	for key := range c.b.Phases[0].Other {
		if key != "index" && key != "description" {
			c.note("phases[0].%s is not taken over", key)
		}
	}
	for key := range c.b.Tasks[0].Other {
		switch key {
		case "scoring_program":
			c.note("tasks[0].scoring_program is not run: MedForge's own %s scores", metric.Name)
		case "index", "description":
		default:
			c.note("tasks[0].%s is not taken over", key)
		}
	}
	slices.Sort(c.notes)
}

// metric finds which of ours the first column of the leaderboard means.
func (c *conversion) metric() (scoring.Metric, bool) {
	if len(c.b.Leaderboards) != 1 || len(c.b.Leaderboards[0].Columns) == 0 {
		c.wrong.add(manifestFile+", leaderboards", "leaderboards", "expected one leaderboard with a column")
		return scoring.Metric{}, false
	}
	columns := slices.Clone(c.b.Leaderboards[0].Columns)
	slices.SortStableFunc(columns, func(a, b codabenchColumn) int { return a.Index - b.Index })
	for _, other := range columns[1:] {
		c.note("leaderboards[0].columns: %q is not taken over; the first column ranks", other.Key)
	}
	name := strings.ToLower(strings.NewReplacer(" ", "_", "-", "_").Replace(columns[0].Key))
	if alias, ok := metricAliases()[name]; ok {
		name = alias
	}
	m, ok := scoring.LookupMetric(name)
	if !ok {
		c.wrong.add(manifestFile+", leaderboards[0].columns", "metric", "MedForge has no metric for the column %q; its scoring program cannot be converted", columns[0].Key)
		return m, false
	}
	if higher := columns[0].Sorting != "asc"; higher != m.HigherIsBetter {
		c.wrong.add(manifestFile+", leaderboards[0].columns", "sorting", "the column %q is sorted against what %s means", columns[0].Key, m.Name)
	}
	c.note("the column %q is taken as the metric %s", columns[0].Key, m.Name)
	return m, true
}

// labels takes the reference data, which must be one CSV file of two columns.
func (c *conversion) labels(m scoring.Metric) {
	rows, ok := c.reference()
	if !ok {
		return
	}
	header := rows[0]
	if len(header) != 2 || len(rows) < 2 {
		c.wrong.add("reference_data", "columns", "expected a CSV file with an id column, a label column and rows; its header is %d columns wide", len(header))
		return
	}
	var holdout, sample bytes.Buffer
	h, s := csv.NewWriter(&holdout), csv.NewWriter(&sample)
	column := map[string]any{"name": header[1]}
	first := c.column(m, rows[1:], column)
	for i, r := range rows {
		if i > 0 {
			_ = s.Write([]string{r[0], first}) // into memory
		} else {
			_ = s.Write(r)
		}
		_ = h.Write(r)
	}
	h.Flush()
	s.Flush()
	c.holdout, c.sample = holdout.Bytes(), sample.Bytes()
	direction := "minimize"
	if m.HigherIsBetter {
		direction = "maximize"
	}
	c.manifest = map[string]any{"metric": m.Name, "direction": direction, "id_column": header[0], "targets": []any{column},
		"rows": len(rows) - 1, "evaluation_split_version": "codabench-v1", "source": "Converted from a Codabench bundle"}
}

// column works out the labels' type and returns a value for the sample.
func (c *conversion) column(m scoring.Metric, rows [][]string, column map[string]any) string {
	low, high, whole := math.Inf(1), math.Inf(-1), true
	classes := map[string]bool{}
	for _, r := range rows {
		v, err := strconv.ParseFloat(r[1], 64)
		whole = whole && err == nil && v == math.Trunc(v)
		low, high = min(low, v), max(high, v)
		classes[r[1]] = true
	}
	switch {
	case m.Needs == scoring.NeedsClasses && whole:
		column["type"], column["min"], column["max"] = "int", low, high
		return strconv.FormatFloat(low, 'f', -1, 64)
	case m.Needs == scoring.NeedsClasses:
		var names []string
		for name := range classes {
			names = append(names, name)
		}
		slices.Sort(names)
		column["type"], column["classes"] = "category", names
		return names[0]
	case m.Needs == scoring.NeedsMasks, m.Needs == scoring.NeedsBoxes:
		c.wrong.add("reference_data", "columns", "the metric %s needs more than a Codabench bundle says; write a MedForge bundle", m.Name)
	}
	column["type"] = "float"
	return "0"
}

// reference reads the one CSV file of the task's reference data, which is a
// folder, a zip or the file itself.
func (c *conversion) reference() (rows [][]string, ok bool) {
	ref := path.Join(c.dir, c.b.Tasks[0].Reference)
	var found []*zip.File
	zips := c.z.File
	for _, f := range c.z.File {
		if f.Name != ref || path.Ext(ref) != ".zip" {
			continue
		}
		raw, err := readZip(f, 512<<20)
		if err == nil {
			var inner *zip.Reader
			if inner, err = openZip(bytes.NewReader(raw), int64(len(raw)), zipLimits{files: 1000, bytes: 1 << 30}); err == nil {
				zips, ref = inner.File, "."
			}
		}
		if err != nil {
			c.wrong.add("reference_data", "archive", "%v", err)
			return nil, false
		}
	}
	for _, f := range zips {
		inside := ref == "." || f.Name == ref || strings.HasPrefix(f.Name, ref+"/")
		if inside && !f.FileInfo().IsDir() && !strings.HasPrefix(path.Base(f.Name), ".") && !strings.Contains(f.Name, "__MACOSX") {
			found = append(found, f)
		}
	}
	if len(found) != 1 || path.Ext(found[0].Name) != ".csv" {
		c.wrong.add(manifestFile+", tasks[0].reference_data", "reference_data", "expected one CSV file with an id and a label a row, found %d files", len(found))
		return nil, false
	}
	raw, err := readZip(found[0], 512<<20)
	if err == nil {
		rows, err = csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))).ReadAll()
	}
	if err != nil || len(rows) == 0 {
		c.wrong.add("reference_data", "csv", "its file is not a CSV file with a header: every row must have as many fields as the first")
		return nil, false
	}
	return rows, true
}

// description puts the overview page in front.
func (c *conversion) description() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", strings.TrimSpace(c.b.Title), strings.TrimSpace(c.b.Description))
	for _, p := range c.b.Pages {
		for _, f := range c.z.File {
			if f.Name == path.Join(c.dir, p.File) && path.Ext(f.Name) == ".md" {
				if raw, err := readZip(f, maxDescriptionBytes/8); err == nil {
					fmt.Fprintf(&b, "\n## %s\n\n%s\n", p.Title, strings.TrimSpace(string(raw)))
				}
			}
		}
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// codabenchSlug makes a slug of a title.
func codabenchSlug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := strings.Trim(b.String()[:min(b.Len(), 60)], "-")
	if slug == "" {
		return "codabench-import"
	}
	return slug
}
