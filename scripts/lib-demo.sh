# shellcheck shell=sh
# The parts of scripts/demo and scripts/demo-down. Sourced after lib.sh.

DEMO=$REPO/.demo
# A bridge and a subnet of its own for each checkout, so that demos side by side do
# not give out one address twice, nor does one's end take the other's network.
DEMO_NET=$(printf '%s' "$DEMO" | cksum | awk '{ print 80 + $1 % 160 }')
DEMO_BRIDGE=mfdemo$DEMO_NET
# A unix socket's path has 107 bytes at most (unix(7)), and the longest here is
# containerd's.
[ "${#DEMO}" -le 70 ] || die "the path $DEMO is too long for unix sockets: clone into a shorter one"

# demo_alive NAME: whether the program we started runs; its pid must still be
# that program's, not somebody's who got the number since.
demo_alive() {
	[ -f "$DEMO/$1.pid" ] || return 1
	pid=$(cat "$DEMO/$1.pid")
	[ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

# demo_spawn NAME COMMAND: starts a program in a process group of its own.
demo_spawn() {
	name=$1
	shift
	setsid "$@" >>"$DEMO/log/$name.out" 2>>"$DEMO/log/$name.err" </dev/null &
	echo $! >"$DEMO/$name.pid"
}

# demo_wait NAME SECONDS COMMAND: until the command succeeds, the program ends
# or the time is over.
demo_wait() {
	name=$1 left=$(($2 * 10))
	shift 2
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		# Not demo_alive: just spawned, it may not yet have the program's name.
		if [ "$left" -le 0 ] || ! kill -0 "$(cat "$DEMO/$name.pid")" 2>/dev/null; then
			tail -n 20 "$DEMO/log/$name.err" >&2
			die "$name did not come up; its log is $DEMO/log/$name.err"
		fi
		sleep 0.1
	done
}

# demo_stop NAME: TERM, then KILL after 20 seconds.
demo_stop() {
	if demo_alive "$1"; then
		pid=$(cat "$DEMO/$1.pid")
		say "stopping $1"
		kill -TERM "$pid"
		left=200
		while kill -0 "$pid" 2>/dev/null && [ "$left" -gt 0 ]; do
			left=$((left - 1))
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$DEMO/$1.pid"
}

demo_containerd_up() {
	if demo_alive containerd; then
		return 0
	fi
	say "starting a containerd of the demo's own"
	mkdir -p "$DEMO/containerd"
	cat >"$DEMO/containerd/config.toml" <<-CONF
		version = 2
		root = "$DEMO/containerd/root"
		state = "$DEMO/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$DEMO/containerd/containerd.sock"
	CONF
	demo_spawn containerd containerd -c "$DEMO/containerd/config.toml"
	demo_wait containerd 30 ctr -a "$DEMO/containerd/containerd.sock" version
}

# demo_port: the first port from DEMO_PORT on that nobody listens on.
demo_port() {
	port=${DEMO_PORT:-8080}
	while ss -Hltn "sport = :$port" | grep -q .; do
		port=$((port + 1))
	done
	echo "$port"
}

# demo_gpu: nvml where an NVIDIA driver is loaded.
demo_gpu() {
	if [ -n "${DEMO_GPU:-}" ]; then
		echo "$DEMO_GPU"
	elif [ -e /proc/driver/nvidia/version ]; then
		echo nvml
	else
		echo simulated
	fi
}

demo_configure() {
	mkdir -p "$DEMO/data"
	gpu=$(demo_gpu)
	[ "$gpu" = nvml ] || say "no NVIDIA driver here: the GPUs are simulated, and no device reaches a session"
	cat >"$DEMO/medforged.toml" <<-CONF
		domain = "localhost"
		data_dir = "$DEMO/data"
		run_dir = "$DEMO/run"
		socket = "$DEMO/medforged.sock"
		socket_group = ""
		[http]
		listen = "127.0.0.1:$(demo_port)"
		[database]
		driver = "sqlite"
		[containerd]
		address = "$DEMO/containerd/containerd.sock"
		[network]
		bridge = "$DEMO_BRIDGE"
		subnet = "10.213.$DEMO_NET.0/24"
		[workspace]
		driver = "dir"
		[gpu]
		driver = "$gpu"
	CONF
	cat >"$DEMO/env" <<-ENV
		# For a shell that talks to the demo: . .demo/env
		export MEDFORGE_SOCKET="$DEMO/medforged.sock"
		PATH="$REPO/bin:\$PATH"
	ENV
}

demo_daemon_up() {
	if demo_alive medforged; then
		if [ "$(sha256sum <"/proc/$(cat "$DEMO/medforged.pid")/exe")" = "$(sha256sum <"$REPO/bin/medforged")" ]; then
			return 0
		fi
		say "medforged is newer than the one that runs; sessions go on meanwhile"
		demo_stop medforged
	fi
	demo_configure
	say "starting medforged"
	demo_spawn medforged "$REPO/bin/medforged" --config "$DEMO/medforged.toml"
	demo_wait medforged 60 demo_healthy
}

demo_healthy() { "$REPO/bin/medforge" --socket "$DEMO/medforged.sock" whoami; }

# demo_pack FILE: imports the Pack, unless this one is in use.
demo_pack() {
	digest=$(cat "$(dirname "$1")/digest")
	if MEDFORGE_SOCKET=$DEMO/medforged.sock "$REPO/bin/medforge" admin pack list -o json | grep -q "$digest"; then
		return 0
	fi
	say "importing the Pack"
	MEDFORGE_SOCKET=$DEMO/medforged.sock "$REPO/bin/medforge" admin pack import "$1" >&2
	MEDFORGE_SOCKET=$DEMO/medforged.sock "$REPO/bin/medforge" admin pack use "$digest" >&2
}

# demo_running: the slug of a running session of the caller's, or nothing.
demo_running() {
	medforge session list -o json | jq -r 'map(select(.status == "running"))[0].slug // empty'
}

# demo_answers SLUG: goes in by a one-time link as a browser would, and wants
# VS Code's page.
demo_answers() {
	jar=$DEMO/cookies
	rm -f "$jar"
	link=$(medforge session open "$1" -o json | jq -r .url)
	host=${link#http://}
	host=${host%%/*}
	page=$(curl -sSL --fail --max-time 60 --cookie-jar "$jar" --cookie "$jar" \
		--resolve "${host%%:*}:${host##*:}:127.0.0.1" "$link") || die "session $1 does not answer at $link"
	rm -f "$jar"
	case $page in
	*workbench*) say "session $1 answers" ;;
	*) die "what answers for session $1 is not VS Code" ;;
	esac
}

# demo_report SLUG: what to do next.
demo_report() {
	link=$(medforge session open "$1" -o json | jq -r .url)
	cat <<-REPORT

		VS Code:        $(medforge session show "$1" -o json | jq -r .url)
		One-time link:  $link
		                (good once, for 60 seconds; medforge session open $1 makes another)

		Next:
		  . $DEMO/env
		  medforge session list
		  medforge session stop $1
		  medforge gpu list

		sh scripts/demo-down ends the demo.
	REPORT
	if [ "${DEMO_BROWSER:-1}" != 0 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && have xdg-open; then
		xdg-open "$link" >/dev/null 2>&1 || true
	fi
}

# demo_sessions_down: stops every session, so that each has its snapshot.
demo_sessions_down() {
	demo_alive medforged || return 0
	export MEDFORGE_SOCKET="$DEMO/medforged.sock"
	for slug in $("$REPO/bin/medforge" session list --all -o json |
		jq -r '.[] | select(.status == "running" or .status == "starting" or .status == "stopping") | .slug'); do
		say "stopping session $slug"
		"$REPO/bin/medforge" session stop "$slug" >&2 || true
	done
}

# demo_clean: what is left in the kernel when both programs have ended.
demo_clean() {
	# Deepest first: a mount below another must go before it.
	awk -v top="$DEMO/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
		umount "$(printf '%b' "$mount")" || umount -l "$(printf '%b' "$mount")"
	done
	if ip link show "$DEMO_BRIDGE" >/dev/null 2>&1; then
		ip link delete "$DEMO_BRIDGE"
	fi
	rm -rf "$DEMO/run" "$DEMO/containerd/state" "$DEMO"/*.sock "$DEMO/containerd"/*.sock*
}
