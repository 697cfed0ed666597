// Package event carries what happened: one JSON object a line on stdout, the
// same to whoever listens on the live stream, and a row for the audit.
package event

import "time"

// Type names what happened, "room.what".
type Type string

// The types. What each carries in Data is written beside it.
const (
	SessionStart    Type = "session.start"       // pack_digest, gpu_index, gpu_uuid, from
	SessionStage    Type = "session.stage"       // stage, duration_ms; error when it failed
	SessionRunning  Type = "session.running"     // duration_ms since the start
	SessionStopping Type = "session.stopping"    // reason: the intent is recorded
	SessionStop     Type = "session.stop"        // reason, status, error
	SessionSnapshot Type = "session.snapshot"    // snapshot, duration_ms; error when it failed
	SessionSpace    Type = "session.space"       // used_bytes, quota_bytes, percent: 80 or 95 was crossed
	GPUSample       Type = "gpu.sample"          // gpus: readings, once for all readers; not audited
	GPUQuarantined  Type = "gpu.quarantined"     // gpu_uuid, gpu_index, reason
	GPUEnabled      Type = "gpu.enabled"         // gpu_uuid, gpu_index
	GPUDisabled     Type = "gpu.disabled"        // gpu_uuid, gpu_index
	PackImported    Type = "pack.imported"       // digest, size_bytes
	PackUsed        Type = "pack.used"           // digest
	Submission      Type = "submission.created"  // competition, submission_id
	Scored          Type = "submission.scored"   // competition, submission_id, primary_score; error when it failed
	Leaderboard     Type = "leaderboard.changed" // competition, user_id, name, rank, primary_score
	DatasetProgress Type = "dataset.progress"    // dataset, done, total: an import goes on; not audited
	AccountCreated  Type = "account.created"
	AccountChanged  Type = "account.changed"
	SignedIn        Type = "account.signed_in"
	SignInFailed    Type = "account.sign_in_failed"
	SignedOut       Type = "account.signed_out"
	Degraded        Type = "daemon.degraded"  // part, why
	Recovered       Type = "daemon.recovered" // part
	DaemonReady     Type = "daemon.ready"
	OrphanFound     Type = "daemon.orphan" // kind, name, action
	BackupTaken     Type = "daemon.backup" // nothing: who is the actor
)

// Event is one thing that happened.
type Event struct {
	// Seq orders events of one daemon's life, from 1, without a gap.
	Seq  uint64    `json:"seq" doc:"Orders the events of one run of the daemon, from 1, without a gap."`
	Time time.Time `json:"time"`
	Type Type      `json:"event"`
	// UserID is whose thing it happened to: that user and admins may see it.
	UserID    string         `json:"user_id,omitempty"`
	SessionID string         `json:"session_id,omitempty"`
	Slug      string         `json:"slug,omitempty"`
	ActorID   string         `json:"actor_id,omitempty" doc:"Who caused it, when that is not the daemon itself."`
	Data      map[string]any `json:"data,omitempty"`
	// Public events may be seen by everybody, signed in or not; SignedIn ones by
	// every account.
	Public   bool `json:"-"`
	SignedIn bool `json:"-"`
	// Volatile events are not kept for the audit and not printed on stdout:
	// readings that come every few seconds.
	Volatile bool `json:"-"`
}
