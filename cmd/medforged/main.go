// Command medforged is MedForge's daemon.
package main

import (
	"os"

	"github.com/medforge/medforge/pkg/daemon"
)

// version is set when a release is built.
var version = "dev"

func main() {
	os.Exit(daemon.Main(os.Args, version))
}
