// Package backup writes a MedForge, its database and its data directory, into
// one file while it runs, and reads that back into a fresh one.
//
// The file is a tar archive compressed by zstd (tar --zstd -tf lists it):
//
//	backup.json     what this is, and of when
//	data/...        the data directory: bundles, datasets, submissions, logs
//	workspaces.tar.00000000...   workspaces that are folders, in parts; see workspaces.go
//	files.json      how many entries and bytes stood before it
//	database.dump   the database, see store.Dump; the last entry
//
// The dump is taken first and written last. A file is in its place before a
// row names it and is not changed after, so each file that the dump names is
// in the archive; what came later is there without a row, as after a power
// cut. Restoring puts the files in place before the database's one
// transaction, so that rows never stand without their files.
//
// ZFS's workspaces are not in it: they have their own way (zfs send). Nor are
// the configuration and the Packs.
package backup

import (
	"path"
	"strings"
	"time"
)

// The archive's form.
const (
	format  = "medforge-backup"
	version = 1

	headName  = "backup.json"
	dataName  = "data"
	filesName = "files.json"
	dumpName  = "database.dump"
)

// head is the first entry.
type head struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	At       time.Time `json:"at"`
	MedForge string    `json:"medforge"`
	Database string    `json:"database"` // "sqlite" or "mysql": a restore may be into the other
	// Workspaces says that folders of the dir driver are in it.
	Workspaces bool `json:"workspaces"`
}

// tally says how much stood between the head and itself.
type tally struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// leftOut are the parts of the data directory that are not in a backup, by
// their first name: the database's files (the dump stands for them), the lock,
// what is half written, and workspaces, which have their own form.
func leftOut(name string) bool {
	first, _, _ := strings.Cut(path.Clean(name), "/")
	switch first {
	case "lock", MarkerName, "competitions.tmp", "uploads", workspacesDir:
		return true
	}
	return strings.HasPrefix(first, "medforge.db")
}
