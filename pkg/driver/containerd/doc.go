// Package containerd runs sessions as containers on containerd, and keeps the
// Packs they run from. It implements session.Runtime and session.Packs with
// containerd's v2 client, against containerd 1.6, 1.7 and 2.x, under cgroup v1
// and v2.
//
// # What a session is
//
// A session is the container mf-session-<slug> in the namespace "medforge",
// labelled with slug, session, user and Pack digest, so that a restarted daemon
// knows its own. Its process is the Pack's entrypoint with code-server's flags
// (spec.go), as 1000:1000, without any capability, with no-new-privileges,
// containerd's default seccomp profile for 64-bit programs, and the default
// masked and read-only paths. It has namespaces of its own for processes, IPC, host name, mounts,
// control groups and network (package network). From the host it has:
//
//	/workspace                 its workspace, nosuid, nodev, rslave
//	/run/medforge              its socket folder, nosuid, nodev, noexec
//	/usr/local/bin/medforge    the host's program, read-only, if configured
//	/etc/hosts, resolv.conf, hostname    its own, read-only
//	devices                    what CDI knows under Spec.CDIDevices
//
// Its root file system is a writable layer of containerd's that goes with the
// container and has no quota: what must last, and what is large, belongs in the
// workspace. /dev/shm is as configured, at most half of the memory limit.
//
// The Pack's entrypoint has to reap orphans (tini -g --): containerd starts no
// init. Limits are set as asked; what is a fair share is the caller's question.
//
// # What is where
//
//	Config.RunDir/net       networks, see package network
//	Config.RunDir/etc       sessions' files of /etc
//	Config.LogDir           sessions' output, see package logdriver
//	medforge.local/pack/ID@DIGEST    a Pack's image in containerd; its target must be DIGEST
//
// RunDir must be cleared by a reboot. medforged must share the host's mount
// namespace with containerd (no PrivateMounts or ProtectSystem in its unit), or
// containerd does not see what stands below RunDir.
//
// # Bad days
//
// Every method may be interrupted anywhere and called again; the lock that
// orders changes of one session is in the process, everything else is looked up
// in containerd, the kernel and RunDir each time. A containerd that is down
// makes calls Unavailable and is found again by itself, sessions live on. A shim
// that died is cleared away by containerd, and Stop waits for that. Remove works
// from whatever is left. After a reboot containers are there and their networks
// are not: Create makes those anew. What a failed Create made is taken back;
// what cannot be taken back at that moment is found by List and Networks.
//
// Nothing that a session needs is ever without a reference: images hold their
// blobs and layers by containerd's labels, containers their writable layer, and
// what is between two of these is held by a lease that ends by itself.
package containerd
