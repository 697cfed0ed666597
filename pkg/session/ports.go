package session

import (
	"context"
	"io"
	"net"
	"time"
)

// Every method of every port takes a context with a deadline, may be called
// again after it was interrupted at any point, and returns *fault.Error of the
// kinds its comment names; Unavailable (the technology does not answer) and
// Internal (anything unforeseen, raw text kept as the cause) are always
// possible and not repeated. "Is it there" never answers no because something
// else failed.

// Spec is all that is needed to make a session's container.
type Spec struct {
	SessionID  string
	UserID     string
	Slug       string
	Tier       Tier
	PackDigest string
	// WorkspacePath is the host folder mounted at /workspace.
	WorkspacePath string
	// SocketPath is the host folder mounted at /run/medforge.
	SocketPath string
	GPUIndex   int
	GPUUUID    string
	// CDIDevices are fully qualified CDI names, such as
	// "nvidia.com/gpu=GPU-...". Empty: no device reaches the session.
	CDIDevices []string
	Limits     Limits
}

// Limits bound what a container may take from the host. Zero means no limit.
type Limits struct {
	CPUMillis   int64 // thousandths of a core
	MemoryBytes int64
	PIDs        int64
}

// Container is what the runtime knows of one of our containers, recognised by
// its labels.
type Container struct {
	Slug       string
	SessionID  string
	UserID     string
	PackDigest string
	GPUUUID    string
	Running    bool
	// ExitCode and ExitedAt are set when a task has ended and was not removed.
	ExitCode uint32
	ExitedAt time.Time
}

// Exit is the end of a session's main process.
type Exit struct {
	Slug     string
	ExitCode uint32
	At       time.Time
}

// Runtime runs sessions' containers.
type Runtime interface {
	// Ping returns the runtime's version.
	Ping(ctx context.Context) (version string, err error)
	// Create makes the container and its network, not started. A container of
	// that slug and session that is there already is kept; one of another
	// session is Conflict. Errors: NotFound (the Pack is not imported),
	// Conflict (the stored Pack has another digest).
	Create(ctx context.Context, spec Spec) error
	// Start starts the container's task; running already is no error.
	// Errors: NotFound.
	Start(ctx context.Context, slug string) error
	// Stop ends the task: SIGTERM, then SIGKILL to everything in it after
	// grace, and returns when it is gone. No task or no container is no error.
	Stop(ctx context.Context, slug string, grace time.Duration) error
	// Remove takes away the container, its file system layer, network
	// namespace, addresses and interfaces, whatever is left of them. Nothing
	// there is no error. The log stays. Errors: Busy (the task still runs).
	Remove(ctx context.Context, slug string) error
	// Inspect errors: NotFound.
	Inspect(ctx context.Context, slug string) (Container, error)
	// List returns all our containers.
	List(ctx context.Context) ([]Container, error)
	// Networks returns the slugs that have a network namespace or an address
	// of ours, container or not: what a crash can leave behind.
	Networks(ctx context.Context) ([]string, error)
	// Exits delivers ends of main processes from now on, until ctx ends or the
	// runtime is lost; then the channel is closed. The caller reconnects, and
	// compares rows with List after each connect.
	Exits(ctx context.Context) (<-chan Exit, error)
	// Log opens the session's output, oldest kept line first; follow waits for
	// more until ctx ends or the container is gone. tail limits it to the last
	// lines; 0 is all that is kept. Errors: NotFound.
	Log(ctx context.Context, slug string, tail int, follow bool) (io.ReadCloser, error)
}

// Pack is an image that sessions can run.
type Pack struct {
	ID         string // its name, "default"
	Digest     string // "sha256:..." of the image's manifest or index
	SizeBytes  int64
	ImportedAt time.Time
}

// Packs is where images are kept.
type Packs interface {
	// ImportPack reads an OCI archive, checks every digest in it, unpacks it
	// and returns what it holds. Importing the same again is no error.
	// Errors: Invalid (not an OCI archive, or a digest does not match).
	ImportPack(ctx context.Context, archive io.Reader) (Pack, error)
	// ListPacks returns what is imported.
	ListPacks(ctx context.Context) ([]Pack, error)
	// FindPack errors: NotFound.
	FindPack(ctx context.Context, digest string) (Pack, error)
}

// Snapshot is a workspace at one moment.
type Snapshot struct {
	Ref       Ref
	Name      string // "stop-<unix ms>"
	CreatedAt time.Time
	UsedBytes int64 // space that only this snapshot holds; -1 when not known
}

// Usage is a workspace's space in bytes. QuotaBytes 0 is no quota.
type Usage struct {
	UsedBytes  int64
	QuotaBytes int64
}

// Workspaces keeps sessions' files. Nothing in it destroys a workspace or a
// snapshot, except Discard, which takes back only what was just made and is
// still untouched.
type Workspaces interface {
	// Check says whether workspaces can be made: pool there and healthy,
	// parent there, space left.
	Check(ctx context.Context) error
	// Create makes an empty workspace owned by 1000:1000 with the configured
	// quota. One of the same ref is kept as it is. Errors: Exists (something
	// is there that is not this session's), OutOfSpace.
	Create(ctx context.Context, ref Ref) error
	// Clone makes a workspace from a snapshot. One of the same ref that was
	// cloned from the same snapshot, completely, is kept.
	// Errors: NotFound (the snapshot), Exists, OutOfSpace.
	Clone(ctx context.Context, from Snapshot, ref Ref) error
	// Discard undoes Create or Clone if the workspace has no snapshot and
	// nobody has written to it since; otherwise it stays, which is no error.
	// Errors: Busy (something has it open or mounted; the message says what).
	Discard(ctx context.Context, ref Ref) error
	// Path is the host folder to mount at /workspace. Errors: NotFound.
	Path(ctx context.Context, ref Ref) (string, error)
	// Name is what Session.Workspace shows: the dataset, or empty.
	Name(ref Ref) string
	// Snapshot freezes the workspace under a name; one of that name that is
	// there, complete, is returned. Errors: NotFound, OutOfSpace, Busy.
	Snapshot(ctx context.Context, ref Ref, name string) (Snapshot, error)
	// Snapshots lists them, oldest first. A workspace that is not there has
	// none.
	Snapshots(ctx context.Context, ref Ref) ([]Snapshot, error)
	// Usage errors: NotFound.
	Usage(ctx context.Context, ref Ref) (Usage, error)
	// List returns every workspace that stands below the parent.
	List(ctx context.Context) ([]Ref, error)
}

// GPU is one device as it stands now.
type GPU struct {
	Index            int
	UUID             string
	Name             string
	MemoryTotalBytes int64
	MemoryUsedBytes  int64
	UtilisationPct   int // 0..100
	TemperatureC     int
	PowerMilliwatts  int
	Processes        []GPUProcess
	// Fault says why the device cannot be used (lost, MIG mode on); empty when
	// it can.
	Fault string
}

// GPUProcess is a process that holds GPU memory.
type GPUProcess struct {
	PID             int
	MemoryUsedBytes int64
}

// GPUs is the host's devices.
type GPUs interface {
	// Inventory returns every device with its present readings, by index. A
	// device that cannot be read is listed with its Fault.
	Inventory(ctx context.Context) ([]GPU, error)
	// CDIDevices returns the names to inject for a device; none when the
	// driver gives sessions no device. Errors: NotFound, Unavailable (no CDI
	// spec names it, and how to make one).
	CDIDevices(ctx context.Context, uuid string) ([]string, error)
	// Clean waits, within ctx's deadline, until no process holds the device
	// and its memory is back at its idle level. Errors: Busy (with what is
	// left on it), NotFound, Unavailable (it cannot be read).
	Clean(ctx context.Context, uuid string) error
}

// Sockets is the folder that a session and the daemon share: the IDE's socket
// that the session makes and the api socket that the daemon makes. Whatever is
// in it is a stranger's.
type Sockets interface {
	// Create makes the folder, size-limited, and returns its host path.
	// There already is no error.
	Create(ctx context.Context, slug string) (path string, err error)
	// Remove takes it away with all that is in it. Not there is no error.
	Remove(ctx context.Context, slug string) error
	// List returns the slugs that have a folder.
	List(ctx context.Context) ([]string, error)
	// DialIDE connects to the session's ide.sock: a socket, owned by 1000,
	// standing right there and not behind a link. Errors: Unavailable
	// (nothing there yet, or it refuses), Denied (it is not what it must be).
	DialIDE(ctx context.Context, slug string) (net.Conn, error)
	// ListenAPI listens on the session's api.sock, replacing an old one.
	ListenAPI(ctx context.Context, slug string) (net.Listener, error)
}

// Claim is what a start must have before anything else happens.
type Claim struct {
	// Session is the row to insert, Status Starting, without GPU.
	Session Session
	// GPUs are the devices that may be given, best first.
	GPUs []GPU
	// UserLimit and HostLimit are the numbers of active sessions allowed.
	UserLimit int
	HostLimit int
}

// Change is a move from one state to another with what it records. Empty
// fields stay as they are.
type Change struct {
	From         []Status // the row must be in one of these
	To           Status
	At           time.Time
	Reason       StopReason
	ErrorMessage string
	SnapshotName string
	ContainerID  string
	Workspace    string
	// Release gives the GPU and the slots back in the same transaction.
	Release bool
}

// Filter chooses sessions, newest first. Zero fields choose all.
type Filter struct {
	UserID   string
	Statuses []Status
	Limit    int    // rows at most; 0 is all
	After    string // id of the last row of the page before
}

// ClaimRow is one exclusive thing and who holds it.
type ClaimRow struct {
	Kind      string // "gpu", "user_slot", "host_slot"
	Key       string // the GPU's UUID, "<user>/<n>", "<n>"
	SessionID string
}

// GPUState is what people and the daemon decided about a device.
type GPUState struct {
	UUID     string
	Disabled bool   // by an admin; takes no new session
	Reason   string // why it is quarantined; empty when it is not
	At       time.Time
}

// Store keeps sessions and claims.
type Store interface {
	// Claim inserts the row and takes a user slot, a host slot and the first
	// free GPU, all or nothing, in one transaction; rows whose primary key is
	// the slot or the GPU decide between callers. Returns the row with its GPU.
	// Errors: LimitReached "sessions/user-limit-reached",
	// "sessions/no-gpu-available" (no GPU, or no host slot), Exists (the slug
	// is taken).
	Claim(ctx context.Context, c Claim) (Session, error)
	// Apply makes a change and returns the row after it. Errors: NotFound;
	// Conflict when the row is in none of the From states (the row is returned
	// with it).
	Apply(ctx context.Context, id string, c Change) (Session, error)
	// Get finds a session by id or slug. Errors: NotFound.
	Get(ctx context.Context, idOrSlug string) (Session, error)
	// List returns the chosen sessions, newest first (created_at, then id).
	List(ctx context.Context, f Filter) ([]Session, error)
	// Claims returns every exclusive thing that is held.
	Claims(ctx context.Context) ([]ClaimRow, error)
	// ReleaseClaims gives back what a session that is terminal, or has no row,
	// still holds. Errors: Conflict (the session is active).
	ReleaseClaims(ctx context.Context, sessionID string) error
	// GPUStates returns what was decided, by UUID.
	GPUStates(ctx context.Context) (map[string]GPUState, error)
	// SetGPUState records a decision.
	SetGPUState(ctx context.Context, s GPUState) error
	// Setting and SetSetting keep small host-wide values, such as the digest of
	// the Pack in use. An unset one is empty.
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
}
