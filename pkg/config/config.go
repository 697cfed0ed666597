// Package config reads MedForge's settings: the daemon's (Load) and the command
// line's (LoadClient). A setting comes, weakest first, from its default, the
// TOML file, the environment and the flags. It is the only user of viper, with
// an instance of its own for each load.
package config

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"
)

// Config is the daemon's whole configuration, valid as Load returned it. The
// table in keys.go has every key's default, range and meaning.
type Config struct {
	// Path is the file that was read, empty when there was none.
	Path string `mapstructure:"-"`
	// secretInFile says that Path holds a password or an invitation code.
	secretInFile bool

	Domain      string `mapstructure:"domain"`
	DataDir     string `mapstructure:"data_dir"`
	RunDir      string `mapstructure:"run_dir"`
	Socket      string `mapstructure:"socket"`
	SocketGroup string `mapstructure:"socket_group"`

	HTTP        HTTP        `mapstructure:"http"`
	ACME        ACME        `mapstructure:"acme"`
	Database    Database    `mapstructure:"database"`
	Containerd  Containerd  `mapstructure:"containerd"`
	Network     Network     `mapstructure:"network"`
	Workspace   Workspace   `mapstructure:"workspace"`
	GPU         GPU         `mapstructure:"gpu"`
	Session     Session     `mapstructure:"session"`
	Signup      Signup      `mapstructure:"signup"`
	Auth        Auth        `mapstructure:"auth"`
	Competition Competition `mapstructure:"competition"`
	Log         Log         `mapstructure:"log"`
	Metrics     Metrics     `mapstructure:"metrics"`
}

// HTTP is the public listener. See hosts.go for the addresses people use.
type HTTP struct {
	Listen            string         `mapstructure:"listen"`
	TLSCert           string         `mapstructure:"tls_cert"`
	TLSKey            string         `mapstructure:"tls_key"`
	TLSMinVersion     string         `mapstructure:"tls_min_version"` // "1.2" or "1.3"
	RedirectListen    string         `mapstructure:"redirect_listen"` // empty: none
	HSTS              time.Duration  `mapstructure:"hsts"`            // zero: not said
	External          string         `mapstructure:"external"`
	TrustedProxies    []netip.Prefix `mapstructure:"trusted_proxies"`
	ReadHeaderTimeout time.Duration  `mapstructure:"read_header_timeout"`
	RequestTimeout    time.Duration  `mapstructure:"request_timeout"`
	IdleTimeout       time.Duration  `mapstructure:"idle_timeout"`
	ShutdownGrace     time.Duration  `mapstructure:"shutdown_grace"`
	MaxHeader         Size           `mapstructure:"max_header"`
	MaxBody           Size           `mapstructure:"max_body"`
	MaxUploads        int            `mapstructure:"max_uploads"`
}

// ACME says how certificates are made where there are no files with them.
type ACME struct {
	DNSProvider      string   `mapstructure:"dns_provider"` // empty: no ACME
	Directory        string   `mapstructure:"directory"`
	Email            string   `mapstructure:"email"`
	CAFile           string   `mapstructure:"ca_file"`
	Resolvers        []string `mapstructure:"resolvers"` // "192.0.2.53:53"
	Token            Secret   `mapstructure:"token"`
	RFC2136Server    string   `mapstructure:"rfc2136_server"`
	RFC2136KeyName   string   `mapstructure:"rfc2136_key_name"`
	RFC2136Algorithm string   `mapstructure:"rfc2136_key_algorithm"`
	RFC2136Key       Secret   `mapstructure:"rfc2136_key"`
}

// The DNS providers.
const (
	DNSRFC2136      = "rfc2136"
	DNSCloudflare   = "cloudflare"
	DNSDigitalOcean = "digitalocean"
)

// Database says where rows are kept.
type Database struct {
	Driver string `mapstructure:"driver"` // DatabaseSQLite or DatabaseMySQL
	DSN    Secret `mapstructure:"dsn"`
}

// The database drivers.
const (
	DatabaseSQLite = "sqlite"
	DatabaseMySQL  = "mysql"
)

// Containerd is the runtime's daemon.
type Containerd struct {
	Address     string        `mapstructure:"address"`
	Namespace   string        `mapstructure:"namespace"`
	Snapshotter string        `mapstructure:"snapshotter"`
	Timeout     time.Duration `mapstructure:"timeout"`
}

// Network is the bridge that sessions reach the outside through.
type Network struct {
	Mode       string         `mapstructure:"mode"` // NetworkBridge or NetworkNone
	Bridge     string         `mapstructure:"bridge"`
	Subnet     netip.Prefix   `mapstructure:"subnet"`
	CNIBinDirs []string       `mapstructure:"cni_bin_dirs"`
	Deny       []netip.Prefix `mapstructure:"deny"` // what sessions must not reach
	DNS        []netip.Addr   `mapstructure:"dns"`
}

// What sessions reach.
const (
	NetworkBridge = "bridge"
	NetworkNone   = "none"
)

// Workspace says where sessions' files are kept.
type Workspace struct {
	Driver    string `mapstructure:"driver"` // WorkspaceZFS or WorkspaceDir
	ZFSParent string `mapstructure:"zfs_parent"`
	Quota     Size   `mapstructure:"quota"`
	MinFree   Size   `mapstructure:"min_free"`
}

// The workspace drivers.
const (
	WorkspaceZFS = "zfs"
	WorkspaceDir = "dir"
)

// GPU says which devices sessions get and how.
type GPU struct {
	Driver         string        `mapstructure:"driver"` // GPUNVML or GPUSimulated
	Count          int           `mapstructure:"count"`
	CDISpecDirs    []string      `mapstructure:"cdi_spec_dirs"`
	HookPath       string        `mapstructure:"hook_path"`
	LibraryPath    string        `mapstructure:"library_path"`
	DriverRoot     string        `mapstructure:"driver_root"`
	SampleInterval time.Duration `mapstructure:"sample_interval"`
	IdleMemory     Size          `mapstructure:"idle_memory"`
	IdleTimeout    time.Duration `mapstructure:"idle_timeout"`
}

// The GPU drivers.
const (
	GPUNVML      = "nvml"
	GPUSimulated = "simulated"
)

// Session bounds sessions. Zero CPUMillis, Memory or PIDs is a fair share of
// the host.
type Session struct {
	MaxConcurrent int           `mapstructure:"max_concurrent"`
	PerUser       int           `mapstructure:"per_user"`
	Pack          string        `mapstructure:"pack"`
	StartTimeout  time.Duration `mapstructure:"start_timeout"`
	StopGrace     time.Duration `mapstructure:"stop_grace"`
	CPUMillis     int64         `mapstructure:"cpu_millis"`
	Memory        Size          `mapstructure:"memory"`
	PIDs          int64         `mapstructure:"pids"`
	SharedMemory  Size          `mapstructure:"shared_memory"`
	LogSize       Size          `mapstructure:"log_size"`
}

// Signup says who may make an account.
type Signup struct {
	Mode        string   `mapstructure:"mode"` // SignupOpen, SignupClosed or SignupInvite
	InviteCodes []Secret `mapstructure:"invite_codes"`
}

// The sign-up modes.
const (
	SignupOpen   = "open"
	SignupClosed = "closed"
	SignupInvite = "invite"
)

// Auth bounds how long a browser stays signed in.
type Auth struct {
	IdleLifetime     time.Duration `mapstructure:"idle_lifetime"`
	AbsoluteLifetime time.Duration `mapstructure:"absolute_lifetime"`
}

// Competition bounds submissions.
type Competition struct {
	MaxSubmission Size          `mapstructure:"max_submission"`
	Scorers       int           `mapstructure:"scorers"`
	ScoreTimeout  time.Duration `mapstructure:"score_timeout"`
}

// Log is what the daemon writes to standard error. Events go to standard
// output, whatever this says.
type Log struct {
	Level  slog.Level `mapstructure:"level"`
	Format string     `mapstructure:"format"` // "json" or "text"
	// Requests says which requests are logged: LogRequestsNone, LogRequestsOwn
	// or LogRequestsAll.
	Requests string `mapstructure:"requests"`
}

// The requests that are logged.
const (
	LogRequestsNone = "none"
	LogRequestsOwn  = "own"
	LogRequestsAll  = "all"
)

// Metrics is the separate listener for Prometheus. The socket serves them
// always.
type Metrics struct {
	Listen string `mapstructure:"listen"` // empty: none
}

// DatabaseFile is where the embedded database stands.
func (c Config) DatabaseFile() string { return filepath.Join(c.DataDir, "medforge.db") }

// WorkspaceDir is where the dir driver keeps workspaces.
func (c Config) WorkspaceDir() string { return filepath.Join(c.DataDir, "workspaces") }

// SessionSocketsDir is where sessions' socket folders are made.
func (c Config) SessionSocketsDir() string { return filepath.Join(c.RunDir, "sessions") }

// ACMEDir is where ACME's account, keys and certificates are kept.
func (c Config) ACMEDir() string { return filepath.Join(c.DataDir, "acme") }

// CDIDir is where the daemon writes CDI specs of its own.
func (c Config) CDIDir() string { return filepath.Join(c.RunDir, "cdi") }
