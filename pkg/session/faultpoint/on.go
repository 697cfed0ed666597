//go:build faultpoints

// Package faultpoint names the places where the fault tests kill the daemon.
// This build carries them: never ship it.
package faultpoint

import (
	"os"
	"syscall"
)

// Hit kills the process at once, as a power cut would, when the environment's
// MEDFORGE_FAULTPOINT names this place.
func Hit(name string) {
	if os.Getenv("MEDFORGE_FAULTPOINT") == name {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
