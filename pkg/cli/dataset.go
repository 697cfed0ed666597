package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) datasetCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "dataset", Short: "What competitions are about, and importing the real data",
		Example: "  medforge dataset list\n  medforge dataset import cifar-100 cifar-100-binary.tar.gz",
	}, a.datasetList(), a.datasetShow(), a.datasetImport())
}

func (a *app) datasetList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the datasets", Aliases: []string{"ls"}, Example: "  medforge dataset list", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		all, err := a.client.Datasets(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(all, func() {
			var rows [][]string
			for _, d := range all {
				size := "not imported"
				if d.Checksum != "" {
					size = termtext.Bytes(d.Bytes)
				}
				rows = append(rows, []string{d.Slug, d.Title, size, d.License})
			}
			a.print.table([]string{"DATASET", "TITLE", "SIZE", "LICENSE"}, rows)
		})
	})
}

func (a *app) datasetShow() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "show SLUG", Short: "Show one dataset", Example: "  medforge dataset show cifar-100",
		Args: exactly("SLUG"), ValidArgsFunction: a.completeDatasets(),
	}, func(cmd *cobra.Command, args []string) error {
		d, err := a.client.Dataset(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print.result(d, func() { a.showDataset(d) })
	})
}

func (a *app) showDataset(d api.Dataset) {
	size, sum := "not imported; an admin does it: medforge dataset import "+d.Slug+" PATH", "-"
	if d.Checksum != "" {
		size, sum = termtext.Bytes(d.Bytes), d.Checksum
	}
	a.print.pairs([2]string{"Dataset", d.Slug}, [2]string{"Title", d.Title}, [2]string{"Source", d.Source},
		[2]string{"License", d.License}, [2]string{"Size", size}, [2]string{"Checksum", sum})
}

func (a *app) completeDatasets() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		all, err := a.client.Datasets(ctx)
		var out []string
		for _, d := range all {
			out = append(out, d.Slug+"\t"+d.Title)
		}
		return out, err
	})
}

func (a *app) datasetImport() *cobra.Command {
	var png bool
	cmd := a.run(&cobra.Command{
		Use: "import SLUG PATH", Short: "Import the real data of a competition (admins)",
		Long: `Import what you downloaded: its hidden labels become the competition's holdout,
under an evaluation split of its own, and what people may have can be fetched
with competition data.

  cifar-100                             cifar-100-binary.tar.gz
  rsna-pneumonia-detection-challenge    Kaggle's zip or folder; only
                                        stage_2_train_labels.csv is sent
  titanic-kaggle                        Kaggle's zip or folder

The file is sent to the daemon with its SHA-256. When that breaks off, the same
command goes on where it ended. Nothing changes until all of it is in place.`,
		Example: "  medforge dataset import cifar-100 cifar-100-binary.tar.gz --png\n  medforge dataset import titanic-kaggle titanic.zip",
		Args:    exactly("SLUG", "PATH"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.completeDatasets()(cmd, args, part)
		},
	}, func(cmd *cobra.Command, args []string) error {
		return a.importDataset(cmd.Context(), args[0], args[1], png)
	})
	cmd.Flags().BoolVar(&png, "png", false, "write the images as PNG files too (cifar-100)")
	return cmd
}

func (a *app) importDataset(ctx context.Context, slug, path string, png bool) error {
	wanted, err := a.client.ImportForm(ctx, slug)
	if err != nil {
		return err
	}
	f, done, err := importFile(path, wanted)
	if err != nil {
		return err
	}
	defer done()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	g := a.newProgress("Reading")
	defer g.close()
	h := sha256.New()
	if _, err := io.Copy(h, &counter{r: f, tell: func(n int64) { g.bar("Reading", n, st.Size()) }}); err != nil {
		return err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if err := a.client.Upload(ctx, sum, readSeeker{f}, st.Size(), func(n int64) { g.bar("Sending", n, st.Size()) }); err != nil {
		return err
	}
	g.say("Importing")
	stop, err := a.importProgress(ctx, slug, g)
	if err != nil {
		return err
	}
	d, err := a.client.ImportDataset(ctx, slug, api.DatasetImport{SHA256: sum, PNG: png})
	stop()
	g.close()
	if err != nil {
		return err
	}
	return a.print.result(d, func() { a.showDataset(d) })
}

// readSeeker hides a file's Close from the HTTP client.
type readSeeker struct{ io.ReadSeeker }

// importFile is what is sent: the file itself, or the wanted ones packed.
func importFile(path string, wanted []string) (f *os.File, done func(), err error) {
	if len(wanted) == 0 {
		if f, err = os.Open(path); err != nil {
			return nil, nil, usage("%v", err)
		}
		if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
			return nil, nil, errors.Join(usage("%s is not a file. Give the archive as it was downloaded.", path), f.Close())
		}
		return f, func() { _ = f.Close() }, nil // it was only read
	}
	if f, err = os.CreateTemp("", "medforge-import-"); err != nil {
		return nil, nil, err
	}
	done = func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }
	if err = packWanted(path, wanted, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// importProgress shows how far the daemon is.
func (a *app) importProgress(ctx context.Context, slug string, g *progress) (stop func(), err error) {
	stream, err := a.events(ctx)
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			e, err := stream.Next()
			if err != nil {
				return // it is only for show
			}
			if e.Type == api.EventDatasetProgress && text(e, "dataset") == slug {
				n, _ := e.Data["done"].(float64)
				of, _ := e.Data["total"].(float64)
				g.say("%s", barText("Importing", int64(n), int64(of))+fmt.Sprintf(" %.0f of %.0f", n, of))
			}
		}
	}()
	return func() { stream.Close(); <-ended }, nil
}
