package tui

// NewFake is the daemon in memory that this package's tests run on, as an
// admin's.
func NewFake() Daemon { return asRoot(full()) }
