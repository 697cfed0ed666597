# shellcheck shell=sh
# Debian and Ubuntu packages; sourced by lib.sh.

apt_has() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt_run ARGS: apt-get, never asking, waiting for another apt to finish.
apt_run() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" >&2
}

apt_update() {
	say "apt-get update"
	apt_run update
}

# apt_install PACKAGE...: installs what is missing, and nothing else. The
# package lists are fetched only when apt cannot install from those it has.
apt_install() {
	missing=
	for package in "$@"; do
		apt_has "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	have apt-get || die "these Debian packages are needed, and there is no apt-get here:$missing"
	need_root "Installing$missing"
	say "installing$missing"
	# shellcheck disable=SC2086 # a list of names
	if ! apt_run install --no-install-recommends $missing 2>/dev/null; then
		apt_update || die "apt-get update failed; its message is above"
		# shellcheck disable=SC2086
		apt_run install --no-install-recommends $missing ||
			die "apt could not install$missing; its message is above"
	fi
}

# apt_install_quiet_services PACKAGE...: the same for packages that bring a
# service, which Debian would start at once. invoke-rc.d and deb-systemd-invoke
# ask /usr/sbin/policy-rc.d first; 101 means no. A policy already there is the
# operator's and stays as it is.
apt_install_quiet_services() {
	policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then
		apt_install "$@"
		return
	fi
	need_root "Installing $*"
	printf '#!/bin/sh\n# medforge: temporary\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
	# In a subshell, so that no exit in between leaves the file behind.
	(
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		apt_install "$@"
	)
}

# apt_uri LABEL: where the host's own apt gets the repository with this label
# (Debian, Debian-Security, Debian Backports) of the host's release. Needs
# package lists; prints nothing when there are none.
apt_uri() {
	# shellcheck disable=SC2016 # apt's own variable
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		"Label: $1" 2>/dev/null | head -n 1
}

# ensure_backports: makes bookworm-backports known to apt, from the mirror that
# the host itself uses. The file it leaves says who wrote it; packages from
# backports are only taken when named, so leaving it changes nothing else.
ensure_backports() {
	[ -n "$(apt_uri Debian)" ] || apt_update
	[ -z "$(apt_uri 'Debian Backports')" ] || return 0
	uri=$(apt_uri Debian)
	[ -n "$uri" ] || die "apt has no source for Debian itself, so none for bookworm-backports can be derived from it"
	list=/etc/apt/sources.list.d/medforge-bookworm-backports.sources
	say "adding $list (remove it when you no longer build MedForge here)"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	{
		printf '# Written by MedForge: a newer Go for building it. Safe to remove.\n'
		printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n' "$uri"
		[ ! -e "$keyring" ] || printf 'Signed-By: %s\n' "$keyring"
	} >"$list"
	apt_update
}
