package api

import "time"

// SessionStatus is a session's state.
type SessionStatus string

// The states.
const (
	SessionStarting SessionStatus = "starting"
	SessionRunning  SessionStatus = "running"
	SessionStopping SessionStatus = "stopping"
	SessionStopped  SessionStatus = "stopped"
	SessionError    SessionStatus = "error"
)

// Terminal reports whether nothing more happens to a session in this state.
func (s SessionStatus) Terminal() bool { return s == SessionStopped || s == SessionError }

// Session is one browser VS Code with its GPU and its files.
type Session struct {
	ID           string        `json:"id" format:"uuid"`
	UserID       string        `json:"user_id" format:"uuid" doc:"The owner."`
	Tier         string        `json:"tier" enum:"public,private"`
	PackID       string        `json:"pack_id" doc:"Name of the Pack it runs." example:"default"`
	Status       SessionStatus `json:"status" enum:"starting,running,stopping,stopped,error"`
	ContainerID  string        `json:"container_id" example:"mf-session-k3v7q2xa"`
	GPUID        int           `json:"gpu_id" doc:"Index of its GPU on the host."`
	GPUUUID      string        `json:"gpu_uuid"`
	PackDigest   string        `json:"pack_digest" doc:"The exact image it runs." example:"sha256:..."`
	Slug         string        `json:"slug" doc:"Eight characters of lower-case base32; names the session's host." example:"k3v7q2xa"`
	WorkspaceZFS string        `json:"workspace_zfs" doc:"The workspace's dataset; empty when workspaces are plain folders."`
	URL          string        `json:"url" format:"uri" doc:"Where its VS Code answers while it runs."`
	CreatedAt    time.Time     `json:"created_at"`
	StartedAt    *time.Time    `json:"started_at" doc:"When its IDE first answered; null until then."`
	StoppedAt    *time.Time    `json:"stopped_at" doc:"When it ended; null until then."`
	ErrorMessage string        `json:"error_message" doc:"Why it ended in error; empty otherwise."`
}

// SessionCreate asks for a session.
type SessionCreate struct {
	Tier   string `json:"tier,omitempty" enum:"public,private" default:"public" doc:"Who may reach the IDE. private is known and not offered yet."`
	PackID string `json:"pack_id,omitempty" maxLength:"100" doc:"The Pack to run; the one in use when empty."`
	From   string `json:"from,omitempty" maxLength:"100" doc:"Whose files the workspace starts with: a session's slug or id for its newest snapshot, SLUG@SNAPSHOT for one by name." example:"k3v7q2xa@stop-1764000000000"`
}

// SessionCreated is the answer to it.
type SessionCreated struct {
	Message string  `json:"message"`
	Session Session `json:"session"`
}

// SessionCurrent is the caller's newest active session.
type SessionCurrent struct {
	Session *Session `json:"session" doc:"null when none is active."`
}

// The messages of a stop.
const (
	MessageStopRequested   = "Session stop requested."
	MessageAlreadyTerminal = "Session already terminal."
)

// Snapshot is a workspace at one moment.
type Snapshot struct {
	SessionID string    `json:"session_id" format:"uuid"`
	Name      string    `json:"name" example:"stop-1764000000000"`
	CreatedAt time.Time `json:"created_at"`
	UsedBytes *int64    `json:"used_bytes" doc:"Space that only this snapshot holds; null when not known."`
}

// SessionUsage is a workspace's space.
type SessionUsage struct {
	UsedBytes  int64 `json:"used_bytes"`
	QuotaBytes int64 `json:"quota_bytes" doc:"0 is no quota."`
}

// SessionLink opens a session's IDE once, without signing in.
type SessionLink struct {
	URL       string    `json:"url" format:"uri" doc:"Works once, only for this session's host."`
	ExpiresAt time.Time `json:"expires_at"`
}
