# shellcheck shell=bash
# Booting the virtual machine and talking to it; sourced by test/vm/run after
# scripts/lib.sh, with IMAGE (the folder of test/vm/build) and WORK set.

QEMU_PID=
GUARD_PID=

# POOL_DISK is the guest's disk for ZFS: SCSI, so that a test can take it away
# and bring it back, as a cable does (/sys/block/sda/device/state).
# shellcheck disable=SC2034 # test/vm/run types it
POOL_DISK=/dev/sda

# vm_start ACCEL...: starts qemu on fresh overlays of the image's disk. vda is
# the system, POOL_DISK for the pool, vdb what the test brings (read-only). No way
# out of the machine: only ssh leads in, on a free loopback port.
vm_start() {
	local accel=$1 cpus=2
	# With two, an emulated kernel now and then runs code that is being changed.
	[[ $accel == kvm ]] || cpus=1
	PORT=$(free_port)
	rm -f "$WORK/root.qcow2" "$WORK/pool.img"
	# Larger than the image, as a host's disk is; the test grows the file system.
	qemu-img create -q -f qcow2 -F raw -b "$IMAGE/disk.img" "$WORK/root.qcow2" 64G
	truncate -s 16G "$WORK/pool.img"
	# A loaded machine can take long to emulate a start. An emulated kernel can trip
	# over its own code as it changes it ("Oops: int3", nearly always while it boots):
	# then it starts again at once.
	local append="root=/dev/vda rw console=ttyS0 quiet systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600 panic=-1 oops=panic ${MEDFORGE_VM_APPEND:-}"
	setsid qemu-system-x86_64 -accel "$accel" -cpu max -smp "$cpus" -m 4096 \
		-display none -monitor none -serial "file:$WORK/serial.log" \
		-kernel "$IMAGE/vmlinuz" -initrd "$IMAGE/initrd" -append "$append" \
		-drive "file=$WORK/root.qcow2,if=virtio,format=qcow2,cache=unsafe,discard=unmap" \
		-drive "file=$WORK/pool.img,if=none,id=pool,format=raw,cache=unsafe,discard=unmap" \
		-device virtio-scsi-pci -device scsi-hd,drive=pool \
		-drive "file=$WORK/payload.img,if=virtio,format=raw,readonly=on" \
		-netdev "user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:$PORT-:22" \
		-device virtio-net-pci,netdev=n0 -device virtio-rng-pci \
		</dev/null >"$WORK/qemu.log" 2>&1 &
	QEMU_PID=$!
	disown # one that ends by itself is told by vm_wait, not by the shell
}

# vm_guard: ends the machine as soon as its kernel panics after its start, so that
# whoever waits for it does not wait for nothing. $WORK/int3 says that it was the
# emulator's doing.
vm_guard() {
	local before emulator
	before=$(grep -c 'Kernel panic' "$WORK/serial.log") || true
	emulator=$(grep -c 'Oops: int3' "$WORK/serial.log") || true
	(
		while kill -0 "$QEMU_PID" 2>/dev/null; do
			sleep 2
			(($(grep -c 'Kernel panic' "$WORK/serial.log") == before)) && continue
			(($(grep -c 'Oops: int3' "$WORK/serial.log") == emulator)) || : >"$WORK/int3"
			kill -KILL "$QEMU_PID"
		done
	) </dev/null >/dev/null 2>&1 &
	GUARD_PID=$!
	disown
}

vm_unguard() {
	[[ -z $GUARD_PID ]] || kill "$GUARD_PID" 2>/dev/null || true
	GUARD_PID=
}

vm_stop() {
	vm_unguard
	[[ -n $QEMU_PID ]] || return 0
	kill -TERM "$QEMU_PID" 2>/dev/null || true
	local left=50
	while kill -0 "$QEMU_PID" 2>/dev/null && ((left-- > 0)); do sleep 0.1; done
	kill -KILL "$QEMU_PID" 2>/dev/null || true
	QEMU_PID=
}

# free_port: one that the kernel says nobody has.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		ss -Hltn "sport = :$port" | grep -q . || break
	done
	echo "$port"
}

# guest COMMAND: runs it in the machine, as root. All share one connection: making
# one takes an emulated machine that is busy many seconds.
guest() {
	ssh -q -i "$IMAGE/key" -p "$PORT" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o ControlMaster=auto -o ControlPath="$WORK/ssh" -o ControlPersist=yes \
		-o ConnectTimeout=60 -o ServerAliveInterval=15 -o ServerAliveCountMax=40 root@127.0.0.1 "$@"
}

# vm_wait SECONDS [BOOT_ID]: until the machine has booted (into another boot
# than BOOT_ID) and systemd has started what it starts.
vm_wait() {
	local end=$((SECONDS + $1)) old=${2:-none} now
	until now=$(guest cat /proc/sys/kernel/random/boot_id 2>/dev/null) && [[ -n $now && $now != "$old" ]]; do
		kill -0 "$QEMU_PID" 2>/dev/null || { say "qemu ended: $(tail -n 3 "$WORK/qemu.log")"; return 1; }
		((SECONDS < end)) || return 1
		sleep 0.5
	done
	# "degraded" is a unit of the image's own that failed; the tests look at ours.
	guest systemctl is-system-running --wait >/dev/null || true
	vm_guard
}

# vm_boot: with KVM where it works (a /dev/kvm that exists can still hang a
# guest), else emulated.
vm_boot() {
	if [[ -w /dev/kvm ]]; then
		vm_start kvm
		vm_wait 60 && { say "booted with KVM in $SECONDS s"; return 0; }
		say "KVM does not work here; emulating"
		vm_stop
	fi
	vm_start tcg,thread=multi
	vm_wait "${MEDFORGE_VM_BOOT_S:-900}" || { say "the virtual machine did not boot"; return 1; }
}

# vm_reboot: the machine restarts itself, as an operator would have it.
vm_reboot() {
	local old
	old=$(guest cat /proc/sys/kernel/random/boot_id)
	vm_unguard
	guest systemctl reboot || true
	guest -O exit 2>/dev/null || true
	vm_wait "${MEDFORGE_VM_BOOT_S:-900}" "$old"
}
