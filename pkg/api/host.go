package api

import "time"

// GPUStatus says what may be done with a device now.
type GPUStatus string

// The states of a device.
const (
	GPUFree        GPUStatus = "free"
	GPUInUse       GPUStatus = "in_use"
	GPUDisabled    GPUStatus = "disabled"    // by an admin; takes no new session
	GPUQuarantined GPUStatus = "quarantined" // by the daemon; Reason says why
	GPUFaulty      GPUStatus = "faulty"      // cannot be read or used; Reason says why
)

// GPU is one device of the host with its present readings.
type GPU struct {
	Index              int          `json:"index"`
	UUID               string       `json:"uuid"`
	Name               string       `json:"name" example:"NVIDIA H200"`
	Status             GPUStatus    `json:"status" enum:"free,in_use,disabled,quarantined,faulty"`
	Reason             string       `json:"reason" doc:"Why it is quarantined or faulty, or what follows its session; empty otherwise."`
	MemoryTotalBytes   int64        `json:"memory_total_bytes"`
	MemoryUsedBytes    int64        `json:"memory_used_bytes"`
	UtilisationPercent int          `json:"utilisation_percent" minimum:"0" maximum:"100"`
	TemperatureC       int          `json:"temperature_c"`
	PowerMilliwatts    int          `json:"power_milliwatts"`
	Processes          []GPUProcess `json:"processes" nullable:"false" doc:"The host's processes that hold its memory."`
	Session            *string      `json:"session" doc:"Slug of the session that has it, or null."`
}

// GPUProcess is a process that holds a GPU's memory.
type GPUProcess struct {
	PID             int   `json:"pid" doc:"Its number on the host."`
	MemoryUsedBytes int64 `json:"memory_used_bytes" doc:"0 when the driver does not tell."`
}

// Host is the machine that the sessions run on, as it stands now. What is null
// could not be read.
type Host struct {
	CPUs             int      `json:"cpus" doc:"Logical processors."`
	CPUPercent       *float64 `json:"cpu_percent" doc:"Use of all processors together, 0 to 100, since the reading before; null when not known yet."`
	MemoryTotalBytes *int64   `json:"memory_total_bytes"`
	MemoryUsedBytes  *int64   `json:"memory_used_bytes" doc:"What no program could get any more: total less available."`
	PoolTotalBytes   *int64   `json:"pool_total_bytes" doc:"Space for all workspaces together, used and free."`
	PoolUsedBytes    *int64   `json:"pool_used_bytes"`
	SlotsTotal       int      `json:"slots_total" doc:"Sessions that may be active at once."`
	SlotsFree        int      `json:"slots_free"`
}

// Pack is an image that sessions can run.
type Pack struct {
	ID         string    `json:"id" doc:"Its name." example:"default"`
	Digest     string    `json:"digest" example:"sha256:..."`
	SizeBytes  int64     `json:"size_bytes"`
	ImportedAt time.Time `json:"imported_at"`
	InUse      bool      `json:"in_use" doc:"Whether new sessions run it."`
}

// PackUse chooses the Pack that new sessions run.
type PackUse struct {
	Digest string `json:"digest" minLength:"1" maxLength:"200" doc:"The digest of an imported Pack."`
}

// Reconciled is what one look at everything found and did.
type Reconciled struct {
	At      time.Time `json:"at"`
	Active  int       `json:"active" doc:"Sessions that should be there."`
	Orphans []Orphan  `json:"orphans" nullable:"false" doc:"Empty when rows and reality agreed."`
}

// Orphan is something that stood without its counterpart.
type Orphan struct {
	Kind      string `json:"kind" doc:"container, network, sockets, claim, workspace or row." example:"container"`
	Name      string `json:"name" example:"mf-session-k3v7q2xa"`
	SessionID string `json:"session_id,omitempty"`
	Why       string `json:"why"`
	Removed   bool   `json:"removed" doc:"false: only reported, because something could be lost."`
}

// Health is what /healthz answers.
type Health struct {
	Status string        `json:"status" enum:"ok,degraded"`
	Why    string        `json:"why,omitempty" doc:"What is not well, in one line."`
	Parts  []Degradation `json:"parts,omitempty" doc:"Each part that is not well."`
}

// The values of Health.Status.
const (
	HealthOK       = "ok"
	HealthDegraded = "degraded"
)

// Degradation is a part of the host that is not well.
type Degradation struct {
	Part  string    `json:"part" example:"containerd"`
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// CheckStatus is how a prerequisite stands.
type CheckStatus string

// The states of a prerequisite.
const (
	CheckOK   CheckStatus = "ok"
	CheckWarn CheckStatus = "warn" // works, with something missing or soon missing
	CheckFail CheckStatus = "fail"
)

// Check is one prerequisite of the host, as the doctor found it.
type Check struct {
	Name   string      `json:"name" example:"containerd"`
	Status CheckStatus `json:"status" enum:"ok,warn,fail"`
	Detail string      `json:"detail" doc:"What was found."`
	Fix    string      `json:"fix,omitempty" doc:"The command or setting that mends it."`
}

// DoctorReport is what the daemon can see of its host.
type DoctorReport struct {
	Checks []Check `json:"checks" nullable:"false"`
}

// Event is one thing that happened, as the stream carries it. What Data holds
// depends on Type.
type Event struct {
	Seq       uint64         `json:"seq" doc:"Orders the events of one run of the daemon, from 1."`
	Time      time.Time      `json:"time"`
	Type      string         `json:"event" example:"session.running"`
	UserID    string         `json:"user_id,omitempty"`
	SessionID string         `json:"session_id,omitempty"`
	Slug      string         `json:"slug,omitempty"`
	ActorID   string         `json:"actor_id,omitempty" doc:"Who caused it, when that is not the daemon."`
	Data      map[string]any `json:"data,omitempty"`
}

// The types of events that clients act on; design of the rest is in the
// daemon's event package.
const (
	EventSessionStart    = "session.start"
	EventSessionStage    = "session.stage" // data: stage, duration_ms; error when it failed
	EventSessionRunning  = "session.running"
	EventSessionStopping = "session.stopping"
	EventSessionSnapshot = "session.snapshot"    // data: snapshot, duration_ms; error when it failed
	EventSessionStop     = "session.stop"        // data: reason, status, error
	EventGPUSample       = "gpu.sample"          // data: gpus, each a GPU
	EventLeaderboard     = "leaderboard.changed" // data: competition, user_id, name, rank, primary_score
	EventScored          = "submission.scored"   // data: competition, submission_id, primary_score; error when it failed
	EventDatasetProgress = "dataset.progress"    // data: dataset, done, total
)
