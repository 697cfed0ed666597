package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands walks the whole tree, but not what cobra itself adds.
func commands(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, child := range c.Commands() {
		if child.Name() != "completion" && child.Name() != "help" {
			commands(child, visit)
		}
	}
}

// TestHelp compares every command's --help with its golden file; -update
// writes them anew.
func TestHelp(t *testing.T) {
	seen := map[string]bool{}
	commands((&app{}).root(), func(c *cobra.Command) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "_")
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			root := (&app{}).root()
			root.SetOut(&out)
			root.SetArgs(append(strings.Fields(c.CommandPath())[1:], "--help"))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "help", name+".txt")
			seen[name+".txt"] = true
			if updating() {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", out.Bytes(), want)
			}
		})
	})
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[f.Name()] {
			t.Errorf("%s belongs to no command", f.Name())
		}
	}
}

func TestEveryCommandSaysWhatItIsAndHasAnExample(t *testing.T) {
	commands((&app{}).root(), func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: a line of %d columns", c.CommandPath(), len(line))
			}
		}
		if c.Args == nil {
			t.Errorf("%s takes whatever arguments", c.CommandPath())
		}
	})
}
