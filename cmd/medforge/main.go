// Command medforge is the command line of MedForge.
package main

import (
	"os"

	"github.com/medforge/medforge/pkg/cli"
)

// version is set by scripts/build.
var version string

func main() {
	os.Exit(cli.Main(cli.OS(version)))
}
