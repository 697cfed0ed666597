// Command medforge is the command line of MedForge.
package main

import (
	"os"

	"github.com/medforge/medforge/pkg/cli"
)

func main() {
	os.Exit(cli.Main(cli.OS()))
}
