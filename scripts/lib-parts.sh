# shellcheck shell=sh
# The parts that MedForge runs on or is tested with; sourced by lib.sh.

# ensure_containerd: containerd, runc, ctr, the CNI plugins and iptables. Starts
# nothing: demo and tests run a containerd of their own. A containerd from
# elsewhere (Docker's containerd.io) is left alone.
ensure_containerd() {
	if ! have containerd || ! have ctr; then
		apt_install_quiet_services containerd
	fi
	have runc || apt_install runc
	[ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || apt_install containernetworking-plugins
	have iptables || apt_install iptables
	have ip || apt_install iproute2
}

# ensure_mariadb: mariadbd, mariadb-install-db, the client and mariadb-dump. Not
# the package mariadb-server: this way comes no service, no user and no database,
# and a server of the operator's is not touched.
ensure_mariadb() {
	for program in mariadbd mariadb-install-db mariadb mariadb-dump; do
		have "$program" || [ -x "/usr/sbin/$program" ] || {
			apt_install mariadb-server-core mariadb-client
			return
		}
	done
}

# ensure_front_proxies: Debian's nginx and caddy, which the examples in contrib/
# are tested with and the benches compare with. Starts neither.
ensure_front_proxies() {
	have nginx || apt_install_quiet_services nginx-light
	have caddy || apt_install_quiet_services caddy
}

# find_chromium: a Chromium or Chrome that runs without a snap.
find_chromium() {
	for browser in "${MEDFORGE_CHROMIUM:-}" chromium google-chrome-stable google-chrome chromium-browser; do
		[ -n "$browser" ] || continue
		path=$(command -v "$browser") || continue
		case $(readlink -f "$path") in
		*/snap) continue ;;
		esac
		# Ubuntu's chromium-browser without snapd is a script that only says so.
		"$path" --version >/dev/null 2>&1 || continue
		printf '%s\n' "$path"
		return 0
	done
	return 1
}

# ensure_chromium: sets and exports MEDFORGE_CHROMIUM, for the browser tests.
ensure_chromium() {
	if ! MEDFORGE_CHROMIUM=$(find_chromium); then
		[ "$(os_id)" = debian ] ||
			die "no Chromium or Chrome here ($(os_id) packages it only as a snap): install Google Chrome, or name one in MEDFORGE_CHROMIUM"
		apt_install chromium
		MEDFORGE_CHROMIUM=$(find_chromium) || die "chromium is installed but does not run"
	fi
	export MEDFORGE_CHROMIUM
}

# ensure_filesystems: what makes the file systems that workspaces are tested on.
ensure_filesystems() {
	apt_install e2fsprogs btrfs-progs xfsprogs
}

# ensure_tmux: the terminal that the full-screen program is tested in.
ensure_tmux() {
	apt_install tmux
}

# ensure_ssh: the connection that the full-screen program is tested over. The test
# starts a server of its own on loopback; the host gets none that it had not, at
# the next boot either.
ensure_ssh() {
	apt_install openssh-client
	! apt_has openssh-server || return 0
	apt_install_quiet_services openssh-server
	! have systemctl || systemctl disable ssh.service ssh.socket >/dev/null 2>&1 || :
}

# ensure_browser_driver: what drives the browser in test/browser, by its lock file.
ensure_browser_driver() {
	lock=$REPO/test/browser/package-lock.json
	if cmp -s "$lock" "$REPO/test/browser/node_modules/.medforge-lock"; then
		return 0
	fi
	say "the browser tests' driver, by npm"
	(cd "$REPO/test/browser" && npm ci --ignore-scripts --loglevel=error >&2) || die "npm could not fetch the browser tests' driver"
	cp "$lock" "$REPO/test/browser/node_modules/.medforge-lock"
}

# ensure_pack_tools: what packs/default/build needs on the host besides Go.
ensure_pack_tools() {
	apt_install mmdebstrap debian-archive-keyring ca-certificates util-linux
}

# ensure_pack: builds the default Pack, or finds it in the cache; prints the
# archive's path.
ensure_pack() {
	sh "$REPO/packs/default/build"
}

# ensure_vm_tools: what builds and boots the virtual machine of the tests.
ensure_vm_tools() {
	apt_install qemu-system-x86 qemu-utils mmdebstrap debian-archive-keyring \
		e2fsprogs openssh-client zstd ca-certificates util-linux
}
