// Package fakeruntime is a session.Runtime and session.Packs in memory, for
// unit tests of what stands above containerd. It passes porttest.Runtime, the
// suite that the containerd driver passes, so what a test learns from it holds
// for the real thing.
//
// Beyond the ports it lets a test own the world: Before refuses, delays or
// counts calls; Exit ends a main process; Lose takes the runtime away and
// Restore brings it back; DropNetwork and the rest make the leftovers of a
// crash.
package fakeruntime
