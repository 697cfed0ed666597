// Command pack writes the archive of the Pack that the test on a GPU runs: the
// IDE stand-in, the CUDA program, and the C library of this machine, which the
// driver's own programs and libraries need.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/medforge/medforge/pkg/testkit/gobuild"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack FILE CUDAPROBE")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// libraries are what libcuda.so.1, libnvidia-ml.so.1 and nvidia-smi name in
// their DT_NEEDED, besides one another.
var libraries = []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"}

func write(path, cudaprobe string) error {
	program, err := gobuild.Build(minipack.IDEPackage)
	if err != nil {
		return err
	}
	files := map[string]string{cudaprobe: "/usr/local/bin/cudaprobe", "/lib64/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2"}
	for _, name := range libraries {
		files[filepath.Join("/lib/x86_64-linux-gnu", name)] = filepath.Join("/lib/x86_64-linux-gnu", name)
	}
	ide, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var inside []minipack.File
	for _, from := range slices.Sorted(maps.Keys(files)) {
		body, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		inside = append(inside, minipack.File{Path: files[from], Body: body, Mode: 0o755})
	}
	archive, err := minipack.Archive("default", ide, inside...)
	if err != nil {
		return err
	}
	return os.WriteFile(path, archive, 0o644)
}
