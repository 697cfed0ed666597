// Package minipack makes a small Pack for tests: an OCI archive of a few
// megabytes whose only program is a static IDE stand-in (./ide). The stand-in
// takes code-server's flags, answers on the same socket, and does on request
// what tests want done inside a session: read, write, dial, print, fork, eat
// memory, try what is forbidden. Tests talk to it through a Probe.
//
// It stands in for code-server only where speed matters; what a session really
// runs is tested with the default Pack.
package minipack
