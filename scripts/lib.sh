# shellcheck shell=sh
# What the scripts of this repository share. POSIX sh; sourced with REPO set to
# the repository's root. Nothing here writes a registry's or mirror's host
# anywhere: the machine's own settings decide where packages come from.

: "${REPO:?set REPO to the repository root before sourcing scripts/lib.sh}"

# say WORDS: one line on stderr about what is being done.
say() { printf 'medforge: %s\n' "$*" >&2; }

# die WORDS: says what went wrong and ends with 1.
die() { say "error: $*"; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }

need_root() {
	[ "$(id -u)" -eq 0 ] || die "$1 needs root (it makes containers and mounts). Run it again with sudo."
}

# cache_dir: where big things are kept between runs (the Pack, Node, the
# virtual machine). Never inside the repository.
cache_dir() {
	printf '%s\n' "${MEDFORGE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/medforge}"
}

# os_id, os_version: as /etc/os-release has them (debian 13, ubuntu 24.04).
# shellcheck disable=SC1091 # the host's file
os_id() { (. /etc/os-release && printf '%s\n' "${ID:-unknown}"); }
# shellcheck disable=SC1091 # the host's file
os_version() { (. /etc/os-release && printf '%s\n' "${VERSION_ID:-}"); }

# shellcheck source=scripts/lib-apt.sh
. "$REPO/scripts/lib-apt.sh"
# shellcheck source=scripts/lib-lang.sh
. "$REPO/scripts/lib-lang.sh"
# shellcheck source=scripts/lib-parts.sh
. "$REPO/scripts/lib-parts.sh"
