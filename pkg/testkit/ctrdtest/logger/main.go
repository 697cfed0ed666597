// Command logger is the log program of tests' containers, as medforged is
// that of real ones.
package main

import (
	"fmt"
	"os"

	"github.com/medforge/medforge/pkg/driver/containerd/logdriver"
)

func main() {
	logdriver.Main(os.Args)
	fmt.Fprintln(os.Stderr, "logger: only containerd calls this program")
	os.Exit(2)
}
