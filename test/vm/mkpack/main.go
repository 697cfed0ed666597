// Command mkpack writes the archive of the tests' small Pack to a file, for the
// virtual machine, which has no compiler.
package main

import (
	"fmt"
	"os"

	"github.com/medforge/medforge/pkg/testkit/gobuild"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mkpack FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(path string) error {
	program, err := gobuild.Build(minipack.IDEPackage)
	if err != nil {
		return err
	}
	ide, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	archive, err := minipack.Archive("default", ide)
	if err != nil {
		return err
	}
	return os.WriteFile(path, archive, 0o644)
}
