package competition

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/medforge/medforge/pkg/fault"
)

// importer turns what people download into the files of a competition.
type importer struct {
	Dataset
	Competition string // whose labels and data it brings
	// Wants are the files that are needed of a zip or a folder; nil: the
	// archive is taken as it is.
	Wants []string
	run   func(ctx context.Context, in *importing) (Overlay, error)
}

// importers is the table, in the order of its slugs.
func importers() []importer {
	return []importer{
		{Dataset{Slug: "cifar-100", Title: "CIFAR-100", Source: "https://www.cs.toronto.edu/~kriz/cifar.html",
			License: "None stated; cite Krizhevsky 2009"}, "cifar-100-classification", nil, importCIFAR100},
		{Dataset{Slug: "rsna-pneumonia-detection-challenge", Title: "RSNA Pneumonia Detection Challenge",
			Source: "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge", License: "Kaggle's competition rules; bring your own copy"},
			"rsna-pneumonia-detection", []string{rsnaLabels}, importRSNA},
		{Dataset{Slug: "titanic-kaggle", Title: "Titanic - Machine Learning from Disaster",
			Source: "https://www.kaggle.com/c/titanic", License: "Kaggle's competition rules; bring your own copy"},
			"titanic-survival", []string{titanicTrain, titanicTest}, importTitanic},
	}
}

func importerOf(dataset string) (importer, bool) {
	for _, i := range importers() {
		if i.Slug == dataset {
			return i, true
		}
	}
	return importer{}, false
}

// importing is one import under way.
type importing struct {
	file    *os.File // what was sent, checked
	files   *os.Root // what people may have
	secret  *os.Root // holdout.csv and sample_submission.csv of the split, if it brings one
	png     bool
	advance func(done, total int) // told now and then
}

// Overlay is what an import changes of its competition.
type Overlay struct {
	Split string `json:"split,omitempty"` // empty: the labels stay as they are
	Rows  int    `json:"rows,omitempty"`
	// License and Source of the labels.
	License string `json:"license,omitempty"`
	Source  string `json:"source,omitempty"`
}

// The parts of an imported dataset's folder. Only publicDir is ever sent to
// anybody.
const (
	publicDir   = "files"
	secretDir   = "secret"
	overlayFile = "overlay.json"
	currentLink = "current"
)

// datasetDir is the imported dataset's folder; ok is false when it was never
// imported.
func (s *Service) datasetDir(slug string) (dir string, ok bool, err error) {
	name, err := os.Readlink(s.path("datasets", slug, currentLink))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return s.path("datasets", slug, filepath.Base(name)), err == nil, diskFault(err)
}

// overlay changes a built-in bundle, unpacked at tmp, by what was imported for
// it.
func (s *Service) overlay(ctx context.Context, tmp, competition string) error {
	for _, i := range importers() {
		if i.Competition != competition {
			continue
		}
		dir, ok, err := s.datasetDir(i.Slug)
		if err != nil || !ok {
			return err
		}
		return diskFault(overlayBundle(ctx, tmp, dir))
	}
	return nil
}

func overlayBundle(ctx context.Context, tmp, dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, overlayFile))
	if err != nil {
		return err
	}
	var o Overlay
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	if o.Split == "" {
		return nil
	}
	for _, name := range []string{holdoutFile, sampleFile, dataDir} {
		if err := os.RemoveAll(filepath.Join(tmp, name)); err != nil {
			return err
		}
	}
	if err := copyTree(ctx, tmp, os.DirFS(filepath.Join(dir, secretDir))); err != nil {
		return err
	}
	return editManifest(filepath.Join(tmp, manifestFile), map[string]any{"evaluation_split_version": o.Split, "rows": o.Rows, "license": o.License, "source": o.Source})
}

// editManifest changes top-level keys of a competition.yaml of ours.
func editManifest(path string, set map[string]any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return err
	}
	top := doc.Content[0].Content
	for i := 0; i+1 < len(top); i += 2 {
		v, ok := set[top[i].Value]
		if !ok || v == "" || v == 0 {
			continue
		}
		if err := top[i+1].Encode(v); err != nil {
			return err
		}
	}
	if raw, err = yaml.Marshal(&doc); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// Datasets returns all that are known, by slug.
func (s *Service) Datasets(ctx context.Context) ([]Dataset, error) { return s.o.Store.Datasets(ctx) }

// Dataset errors: NotFound.
func (s *Service) Dataset(ctx context.Context, slug string) (Dataset, error) {
	return s.o.Store.Dataset(ctx, slug)
}

// ImportWants are the files that the import of a dataset needs of a zip or a
// folder; none: the archive is taken as it is. Errors: NotFound.
func (s *Service) ImportWants(ctx context.Context, slug string) ([]string, error) {
	i, ok := importerOf(slug)
	if !ok {
		if _, err := s.o.Store.Dataset(ctx, slug); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.NotFound, "datasets/no-importer",
			"Dataset %s cannot be imported: its data come with its competition. Those that can: cifar-100, rsna-pneumonia-detection-challenge, titanic-kaggle.", slug)
	}
	return i.Wants, nil
}
