// Package quietterm keeps the terminal from being asked for its background
// while the program starts. Bubble Tea v1 does so in an init function
// (tea_init.go), in every program it is linked into and whatever command was
// given: `medforge session list` would write OSC 11 to the terminal and wait
// up to five seconds for an answer. termenv asks nothing where CI is set, so
// CI is set until those functions have run.
//
// The order is the language's: a package whose imports are initialised is
// initialised in the order of import paths, and this one imports only the
// standard library and sorts before github.com/muesli/termenv, which Bubble
// Tea waits for (Go specification, Program initialization).
package quietterm

import "os"

const variable = "CI"

var set = func() bool {
	if os.Getenv(variable) != "" {
		return false
	}
	return os.Setenv(variable, "1") == nil
}()

// Restore takes the variable away again. pkg/tui calls it from an init
// function, which runs after Bubble Tea's.
func Restore() {
	if set {
		_ = os.Unsetenv(variable) // it was set just now, so the name is a good one
		set = false
	}
}
