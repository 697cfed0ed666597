// Package session is the lifecycle of sessions: what a session is, which state
// may follow which, who gets which GPU, and how the daemon brings rows and
// reality together again after anything. It knows its technologies only by the
// ports in ports.go.
package session

import "time"

// Status is a session's state. The table in machine.go says which may follow
// which.
type Status string

// The states.
const (
	Starting Status = "starting" // claimed; workspace, container and IDE are being made
	Running  Status = "running"  // its IDE has answered
	Stopping Status = "stopping" // the stop is recorded; the finisher ends, snapshots, releases
	Stopped  Status = "stopped"  // ended, its snapshot is taken
	Error    Status = "error"    // ended badly; ErrorMessage says why
)

// Active reports whether a session in this state holds its GPU and slots.
func (s Status) Active() bool { return s == Starting || s == Running || s == Stopping }

// Terminal reports whether nothing more happens to a session in this state.
func (s Status) Terminal() bool { return s == Stopped || s == Error }

// Tier is who may reach a session's IDE.
type Tier string

// The tiers. Private is known and not offered.
const (
	TierPublic  Tier = "public"
	TierPrivate Tier = "private"
)

// StopReason is why a session ended or is ending.
type StopReason string

// The reasons, as they stand in session.stop events.
const (
	ReasonRequested      StopReason = "requested"
	ReasonContainerDeath StopReason = "container_death"
	ReasonSnapshotFailed StopReason = "snapshot_failed"
	ReasonStartFailed    StopReason = "start_failed"
	ReasonGPULost        StopReason = "gpu_lost"
)

// Session is one row: what was asked, what was given, and how it stands.
type Session struct {
	ID          string // UUID
	UserID      string // UUID of the owner
	Slug        string // 8 characters, lower-case base32; names the container and the host
	Tier        Tier
	Status      Status
	PackID      string // the Pack's name, "default"
	PackDigest  string // "sha256:...": the image it runs, fixed at the start
	GPUIndex    int    // index on the host when it was given
	GPUUUID     string
	ContainerID string // "mf-session-<slug>"
	// Workspace is the dataset's name with ZFS, empty with the dir driver.
	Workspace string
	// FromSnapshot is what the workspace was cloned from, "<session id>@<name>",
	// or empty.
	FromSnapshot string
	CreatedAt    time.Time
	StartedAt    time.Time // zero until it runs
	StoppedAt    time.Time // zero until it is terminal
	StopReason   StopReason
	ErrorMessage string
	// SnapshotName is the snapshot that the stop in hand takes. It is recorded
	// with the intent, so that a repeated stop takes the same one.
	SnapshotName string
}

// ContainerName is the container's id for a slug.
func ContainerName(slug string) string { return "mf-session-" + slug }

// Ref names a session's workspace: by owner and session, both UUIDs.
type Ref struct {
	UserID    string
	SessionID string
}

// Ref returns the name of the session's workspace.
func (s Session) Ref() Ref { return Ref{UserID: s.UserID, SessionID: s.ID} }
