//go:build !faultpoints

// Package faultpoint names the places where the fault tests kill the daemon.
// In a normal build it is empty.
package faultpoint

// Hit does nothing in a normal build.
func Hit(string) {}
