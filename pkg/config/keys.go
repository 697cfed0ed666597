package config

import "time"

// key is one setting: its name in the file, its default as it would stand
// there, what it takes, and what it means. The order is the sample's.
type key struct {
	name  string
	def   any // string, int, bool or []string
	takes kind
	doc   string
}

// keys returns every setting of the daemon.
func keys() []key {
	return []key{
		{"domain", "localhost", domain(), "MedForge answers at medforge.<domain> and api.medforge.<domain>, a session at s-<slug>.medforge.<domain>. With localhost, browsers find these names by themselves."},
		{"data_dir", "/var/lib/medforge", path{}, "Submissions, bundles, the embedded database, and with the dir driver the workspaces."},
		{"run_dir", "/run/medforge", path{max: 80}, "What lives only as long as the host is up: sessions' sockets, network namespaces, CDI specs."},
		{"socket", "/run/medforge/medforged.sock", path{max: 107}, "The socket that medforge, the command line, talks to; 0660, root and socket_group."},
		{"socket_group", "medforge", text{}, "Members of this group may use the socket. Empty: root alone."},

		{"http.listen", "127.0.0.1:8080", address{}, "The public listener: plain HTTP behind a proxy of yours, HTTPS with tls_cert and tls_key."},
		{"http.tls_cert", "", path{optional: true}, "Certificate chain, PEM. It must cover medforge.<domain> and *.medforge.<domain>. Read anew when it changes."},
		{"http.tls_key", "", path{optional: true}, "The certificate's private key, PEM."},
		{"http.tls_min_version", "1.2", choice{"1.2", "1.3"}, "The oldest TLS that is spoken. Browsers since 2020 speak 1.3."},
		{"http.redirect_listen", "", address{optional: true}, "A listener, usually \":80\", that answers plain HTTP with the way to HTTPS. Empty: none."},
		{"http.hsts", "8760h", duration{min: 0, max: 100000 * time.Hour}, "How long browsers remember to come by HTTPS only (Strict-Transport-Security), for medforge.<domain> and all below it. Only where people come by https. \"0s\": not said."},
		{"http.external", "", external{}, "How people reach the listener, where that is not as it listens: \"https\" behind a proxy that speaks TLS, or with a port, \"https:8443\". Printed URLs, cookies and the Origin check follow it. Empty: as it listens."},
		{"http.trusted_proxies", []string{}, list{of: prefix{}}, "Addresses or networks of your proxies, whose X-Forwarded-For is believed, and X-Forwarded-Host where they ask about a visitor (forward-auth). Others' is dropped."},
		{"http.read_header_timeout", "10s", duration{min: time.Second, max: 5 * time.Minute}, "Time for a request's headers to arrive."},
		{"http.request_timeout", "60s", duration{min: time.Second, max: time.Hour}, "Time for an ordinary request. Streams, uploads and what goes to an IDE are not bound by it."},
		{"http.idle_timeout", "2m", duration{min: time.Second, max: time.Hour}, "Time a kept-alive connection may be silent between requests. WebSockets are not bound by it."},
		{"http.shutdown_grace", "30s", duration{min: 0, max: 10 * time.Minute}, "Time that uploads and requests get to end when the daemon stops."},
		{"http.max_header", "64K", size{min: 4 << 10, max: 1 << 20}, "A request's headers, all together."},
		{"http.max_body", "1M", size{min: 1 << 10, max: 1 << 30}, "A request's body, where it is not an upload."},
		{"http.max_uploads", 8, integer{min: 1, max: 1000}, "Uploads at the same time; more are told to try again."},

		{"acme.dns_provider", "", choice{"", DNSRFC2136, DNSCloudflare, DNSDigitalOcean}, "Who changes the domain's DNS, so that certificates for medforge.<domain> and *.medforge.<domain> are made and renewed by ACME (the challenge DNS-01), instead of http.tls_cert. Setting it agrees to the authority's terms. rfc2136: your name server, by signed updates."},
		{"acme.directory", "https://acme-v02.api.letsencrypt.org/directory", httpsURL{}, "The authority. The default is Let's Encrypt."},
		{"acme.email", "", text{}, "Where the authority writes to when something is wrong. May be empty."},
		{"acme.ca_file", "", path{optional: true}, "Certificates, PEM, that the authority's own is checked with, for one within your house. Empty: the system's."},
		{"acme.resolvers", []string{}, list{of: nameserver{}}, "Name servers that are asked where the zone begins and whether the challenge's record is there, such as those of the zone where the host's own see another one. Empty: the host's own and the zone's."},
		{"acme.token", "", secretText{}, "The token of the API. cloudflare: with Zone Read and DNS Edit for the zone. digitalocean: with domain:read, domain:create and domain:delete. Keep this file 0600, or give it as MEDFORGED_ACME_TOKEN."},
		{"acme.rfc2136_server", "", nameserver{optional: true}, "The name server that takes updates, such as \"192.0.2.1:53\"."},
		{"acme.rfc2136_key_name", "", keyName(), "The name of the TSIG key. Empty: updates are not signed, and the server must trust this host's address."},
		{"acme.rfc2136_key_algorithm", "hmac-sha256", choice{"hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}, "The algorithm of the TSIG key."},
		{"acme.rfc2136_key", "", tsigSecret{}, "The TSIG key itself, in base64. Keep this file 0600, or give it as MEDFORGED_ACME_RFC2136_KEY."},

		{"database.driver", DatabaseSQLite, choice{DatabaseSQLite, DatabaseMySQL}, "sqlite: a file in data_dir. mysql: MariaDB or MySQL, with dsn."},
		{"database.dsn", "", dsn{}, "Only with mysql, in the form of go-sql-driver: user:password@unix(/run/mysqld/mysqld.sock)/medforge. It may hold a password: keep this file 0600, or give it as MEDFORGED_DATABASE_DSN."},

		{"containerd.address", "/run/containerd/containerd.sock", path{max: 107}, "containerd's socket."},
		{"containerd.namespace", "medforge", label(), "The containerd namespace that is MedForge's alone."},
		{"containerd.snapshotter", "overlayfs", label(), "The containerd snapshotter that holds sessions' file systems."},
		{"containerd.timeout", "10s", duration{min: time.Second, max: 5 * time.Minute}, "Time for one call to containerd."},

		{"network.mode", NetworkBridge, choice{NetworkBridge, NetworkNone}, "bridge: sessions reach outwards. none: they have nothing but their own loopback, and the host needs no bridge, CNI plugin or nf_tables; VS Code is reached all the same."},
		{"network.bridge", "medforge0", ifname(), "The bridge that sessions hang on. Made when it is not there."},
		{"network.subnet", "10.89.0.0/16", subnet{}, "IPv4 network for sessions, masqueraded; nothing else on the host may use it."},
		{"network.cni_bin_dirs", []string{"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"}, list{of: path{}, min: 1}, "Where CNI's plugins bridge, host-local and loopback are looked for, in this order."},
		{"network.deny", []string{}, list{of: prefix4{}}, "IPv4 addresses and networks that sessions must not reach, such as the management network of the hosts. Other sessions, the host itself and 169.254.0.0/16 (where clouds answer for credentials) never can be reached."},
		{"network.dns", []string{}, list{of: ip{}}, "Name servers for sessions. Empty: the host's own, those on loopback left out."},

		{"workspace.driver", WorkspaceZFS, choice{WorkspaceZFS, WorkspaceDir}, "zfs: a dataset a session. dir: plain folders in data_dir, for trying MedForge without ZFS; there quota is not enforced."},
		{"workspace.zfs_parent", "tank/medforge/workspaces", dataset(), "The dataset below which workspaces are made. Only with zfs."},
		{"workspace.quota", "100G", size{max: 1 << 50}, "Space for one workspace, its snapshots counted. \"0\": no quota."},
		{"workspace.min_free", "1G", size{max: 1 << 50}, "No session starts when less than this is free."},

		{"gpu.driver", GPUNVML, choice{GPUNVML, GPUSimulated}, "nvml: the host's NVIDIA GPUs. simulated: as many as count says, and no device reaches a session."},
		{"gpu.count", 7, integer{min: 1, max: 64}, "How many GPUs are simulated. Only with simulated."},
		{"gpu.cdi_spec_dirs", []string{"/etc/cdi", "/var/run/cdi"}, list{of: path{}, min: 1}, "Where CDI specs are looked for. Where none names a GPU, the daemon writes its own into its run_dir."},
		{"gpu.hook_path", "", path{optional: true}, "The program nvidia-cdi-hook. Empty: looked for beside medforged, in PATH and in /usr/bin."},
		{"gpu.library_path", "", path{optional: true}, "The file libnvidia-ml.so.1. Empty: looked for where the loader looks and where drivers are known to be put."},
		{"gpu.driver_root", "/", path{}, "Where the NVIDIA driver's files are installed, such as /run/nvidia/driver for a driver in a container."},
		{"gpu.sample_interval", "2s", duration{min: time.Second, max: 10 * time.Minute}, "How often the GPUs are read while sessions run or somebody watches. A GPU that is lost is noticed by it."},
		{"gpu.idle_memory", "256M", size{max: 1 << 40}, "Memory that a GPU nobody uses may hold, what the driver reserves not counted. With more it is not given to anyone."},
		{"gpu.idle_timeout", "15s", duration{min: time.Second, max: 10 * time.Minute}, "Time that a GPU gets to become idle after a session; then it is put in quarantine."},

		{"session.max_concurrent", 7, integer{min: 1, max: 64}, "Sessions at the same time on this host. A GPU has one session at most, whatever this says."},
		{"session.per_user", 1, integer{min: 1, max: 64}, "Sessions at the same time for one person; an account can have its own number."},
		{"session.pack", "default", label(), "The Pack that sessions run."},
		{"session.start_timeout", "60s", duration{min: time.Second, max: time.Hour}, "Time for a session's IDE to answer; then the start is undone."},
		{"session.stop_grace", "10s", duration{min: 0, max: 10 * time.Minute}, "Time between SIGTERM and SIGKILL."},
		{"session.cpu_millis", 0, integer{min: 0, max: 1 << 20}, "Thousandths of a core for one session. 0: a fair share, the host's divided by max_concurrent."},
		{"session.memory", "0", size{atLeast: 256 << 20, max: 1 << 50}, "Memory for one session. \"0\": a fair share."},
		{"session.pids", 0, integer{min: 0, atLeast: 64, max: 1 << 22}, "Processes and threads for one session. 0: a fair share."},
		{"session.shared_memory", "8G", size{min: 64 << 20, max: 1 << 50}, "/dev/shm in a session. PyTorch's data loaders need far more than the usual 64M. At most half of the session's memory, as which it counts so far as it is used."},
		{"session.log_size", "16M", size{min: 64 << 10, max: 1 << 40}, "What is kept of a session's output; the oldest goes first."},

		{"signup.mode", SignupOpen, choice{SignupOpen, SignupClosed, SignupInvite}, "open: anyone who reaches the listener. invite: with one of invite_codes. closed: only medforge admin user create."},
		{"signup.invite_codes", []string{}, list{of: inviteCode{}}, "Codes that let people sign up, 12 characters or more. Only with invite."},

		{"auth.idle_lifetime", "168h", duration{min: time.Minute, max: 10000 * time.Hour}, "A browser that does nothing for so long is signed out."},
		{"auth.absolute_lifetime", "720h", duration{min: time.Minute, max: 100000 * time.Hour}, "A browser is signed out after so long, whatever it does."},

		{"competition.max_submission", "64M", size{min: 1 << 10, max: 16 << 30}, "A submitted file."},
		{"competition.scorers", 1, integer{min: 1, max: 64}, "Submissions scored at the same time."},
		{"competition.score_timeout", "5m", duration{min: time.Second, max: 24 * time.Hour}, "Time for scoring one submission; then it failed, and its day's count is given back."},

		{"log.level", "info", choice{"debug", "info", "warn", "error"}, "The least serious message written to standard error."},
		{"log.format", "json", choice{"json", "text"}, "json: one object a line. text: for reading."},
		{"log.requests", LogRequestsOwn, choice{LogRequestsNone, LogRequestsOwn, LogRequestsAll}, "Requests written to standard error, a line each: own is what MedForge answers itself and WebSockets, all has what IDEs answer too. Queries, cookies and tokens are never in it."},

		{"metrics.listen", "", address{optional: true}, "A listener for Prometheus at /metrics, open to whoever reaches it. Empty: only on the socket."},
	}
}
