// Command build turns a root file system tree into an OCI image layout in a
// tar, the same bytes from the same tree. packs/default/build runs it as root
// on the tree that it made.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packs/build:", err)
		os.Exit(1)
	}
}

// emptied are directories whose contents belong to the machine that runs the
// image (or ran the build), never to the image.
var emptied = []string{"dev", "proc", "sys", "run", "tmp", "var/tmp"}

func run(args []string) error {
	fs := flag.NewFlagSet("build", flag.ContinueOnError)
	root := fs.String("root", "", "the tree to pack")
	out := fs.String("out", "", "the archive to write")
	work := fs.String("work", "", "folder for the layers while they are made")
	name := fs.String("name", "", "image reference")
	epoch := fs.Int64("epoch", 0, "SOURCE_DATE_EPOCH: no time in the image is later (seconds)")
	user := fs.String("user", "", "uid:gid the image runs as")
	dir := fs.String("dir", "/", "working directory")
	top := fs.String("top", "", "comma-separated paths that make a second layer, so that it can change alone")
	env, labels, entrypoint := list{}, list{}, list{}
	fs.Var(&env, "env", "NAME=VALUE (repeatable)")
	fs.Var(&labels, "label", "NAME=VALUE (repeatable)")
	// The runtime appends code-server's own flags to it.
	fs.Var(&entrypoint, "entrypoint", "one word of the command that starts the IDE, an init before it (repeatable)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, required := range []struct{ flag, value string }{{"root", *root}, {"out", *out}, {"work", *work}, {"name", *name}} {
		if required.value == "" {
			return fmt.Errorf("-%s is missing", required.flag)
		}
	}
	labelMap := map[string]string{}
	for _, l := range labels {
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			return fmt.Errorf("-label %q is not NAME=VALUE", l)
		}
		labelMap[k] = v
	}
	img := image{
		name:  *name,
		epoch: time.Unix(*epoch, 0).UTC(),
		arch:  runtime.GOARCH,
		config: ocispec.ImageConfig{
			User: *user, Env: env, WorkingDir: *dir, Entrypoint: entrypoint, Labels: labelMap,
		},
	}
	layers, err := writeLayers(*root, *work, img.epoch, splitPaths(*top))
	if err != nil {
		return err
	}
	digest, err := writeArchive(*out, img, layers)
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// writeLayers writes the base layer and, where top names paths, a second one
// with those, side by side.
func writeLayers(root, work string, epoch time.Time, top []string) ([]layer, error) {
	base := func(rel string) bool {
		inside, _ := under(rel, top)
		return !inside && !inEmptied(rel)
	}
	upper := func(rel string) bool {
		inside, onTheWay := under(rel, top)
		return inside || onTheWay
	}
	selects := []func(string) bool{base}
	if len(top) > 0 {
		selects = append(selects, upper)
	}
	layers := make([]layer, len(selects))
	var g errgroup.Group
	for i, keep := range selects {
		g.Go(func() error {
			l, err := writeLayer(root, filepath.Join(work, fmt.Sprintf("layer%d.tar.zst", i)), epoch, keep)
			layers[i] = l
			return err
		})
	}
	return layers, g.Wait()
}

func inEmptied(rel string) bool {
	return slices.ContainsFunc(emptied, func(d string) bool { return strings.HasPrefix(rel, d+"/") })
}

func splitPaths(s string) []string {
	var paths []string
	for p := range strings.SplitSeq(s, ",") {
		if p = strings.Trim(p, "/"); p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
