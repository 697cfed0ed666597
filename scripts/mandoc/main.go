// Command mandoc writes what a package carries and the commands themselves tell:
// man pages for medforge and medforged, and shell completions for medforge.
//
//	go run ./scripts/mandoc DIR
//
// writes DIR/man/*.1 and DIR/completions/{bash,zsh,fish}.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/medforge/medforge/pkg/cli"
	"github.com/medforge/medforge/pkg/daemon"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/mandoc DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	man := filepath.Join(dir, "man")
	completions := filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	medforge := cli.Command()
	for _, root := range []*cobra.Command{medforge, daemon.Command("")} {
		// SOURCE_DATE_EPOCH is the pages' date, so that the same commit gives the same pages.
		root.DisableAutoGenTag = true
		header := &doc.GenManHeader{Section: "1", Source: "MedForge", Manual: "MedForge"}
		if err := doc.GenManTree(root, header, man); err != nil {
			return err
		}
	}
	for name, gen := range map[string]func(string) error{
		"bash": func(f string) error { return medforge.GenBashCompletionFileV2(f, true) },
		"zsh":  medforge.GenZshCompletionFile,
		"fish": func(f string) error { return medforge.GenFishCompletionFile(f, true) },
	} {
		if err := gen(filepath.Join(completions, name)); err != nil {
			return err
		}
	}
	return nil
}
