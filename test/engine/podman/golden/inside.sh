#!/bin/sh
# Prepares mounts that podman's flags cannot describe (inodes, owners, flags of writable binds), then becomes podman.
set -eu
namespace=$1
shift
run_dir=${1}
id=${2}
task=${3}
job=${4}
workspace=${5}
way_out=${6}
root_uid=${7}
root_gid=${8}
program_uid=${9}
program_gid=${10}
terminal=${11}
shift 11
own=$run_dir/podman
short=/tmp
: "$task" "$job" "$workspace" "$way_out"

fail() {
	printf 'sandbox: %s\n' "$1" >&2
	exit 125
}

# translate uid|gid ID: the number of a host id in this user namespace. The file: inside, outside, count.
translate() {
	while read -r inside outside count; do
		if [ "$2" -ge "$outside" ] && [ "$2" -lt $((outside + count)) ]; then
			translated=$((inside + $2 - outside))
			return
		fi
	done <"/proc/self/$1_map"
	fail "podman cannot map the host $1 $2: it is neither the caller's nor one of its subordinate ids"
}
if [ "$namespace" != none ]; then
	translate uid "$root_uid" && root_uid=$translated
	translate gid "$root_gid" && root_gid=$translated
	translate uid "$program_uid" && program_uid=$translated
	translate gid "$program_gid" && program_gid=$translated
fi

make_tmpfs() {
	/usr/bin/mkdir "$own/mounts/$1"
	/usr/bin/mount -t tmpfs -o "$2" tmpfs "$own/mounts/$1"
}

# Flags are set here because crun 1.8.1 leaves them out of writable binds. Those of the source stay: in a user
# namespace they are locked, and less is refused (mount_namespaces(7)).
bind() {
	/usr/bin/mount --bind "$1" "$2"
	flags=$(/usr/bin/findmnt -n -o VFS-OPTIONS --mountpoint "$2")
	/usr/bin/mount -o "remount,bind,$flags,$3" "$2"
}

make_bind() {
	if [ -d "$2" ]; then /usr/bin/mkdir "$own/mounts/$1"; else : >"$own/mounts/$1"; fi
	bind "$2" "$own/mounts/$1" "$3"
}

# What podman writes lies on a tmpfs that ends with these namespaces.
/usr/bin/mount -t tmpfs -o size=32m,nr_inodes=4096,mode=0711 podman "$own"
/usr/bin/mkdir "$own/mounts" "$own/rootfs" "$own/plan" "$own/started" "$own/link" "$own/link/etc"
cd "$own"
# podman writes /etc/mtab into an image that has none. Images are read-only, also to podman, so it finds one above them.
/usr/bin/ln -s ../proc/self/mounts "$own/link/etc/mtab"
/usr/bin/mount -t overlay -o ro,nosuid,nodev,lowerdir=link:/var/lib/cofferdam/images/sample/rootfs podman "$own/rootfs"
bind /plan "$own/plan" ro
/usr/bin/mount --bind "$run_dir/started" "$own/started"
make_tmpfs 0 nosuid,nodev,noexec,size=67108864,nr_inodes=16384,mode=0700,uid="$program_uid",gid="$program_gid"
make_tmpfs 1 nosuid,nodev,noexec,size=67108864,nr_inodes=16384,mode=0700,uid="$program_uid",gid="$program_gid"
make_tmpfs 2 nosuid,nodev,noexec,size=16777216,nr_inodes=16384,mode=0755,uid="$program_uid",gid="$program_gid"
make_tmpfs 3 nosuid,nodev,size=268435456,nr_inodes=65536,mode=0755,uid="$program_uid",gid="$program_gid"
make_tmpfs 4 nosuid,nodev,noexec,size=67108864,nr_inodes=2024,mode=0755,uid="$program_uid",gid="$program_gid"
make_bind 5 /var/lib/cofferdam/init/tini nosuid,nodev,ro
runtime=/usr/bin/crun
if [ -n "$terminal" ]; then
	runtime=podman-runtime
	: >"$own/tty"
	/usr/bin/mount --bind "$run_dir/tty" "$own/tty"
fi
while read -r _ name _ hard _; do
	[ "$name" != processes ] || processes=$hard
done </proc/self/limits
[ "$processes" != unlimited ] || processes=-1

# podman takes no path of more than 50 characters for its state, and root inside must pass all its folders. The current
# folder may lie below what this hides.
cd /
/usr/bin/mount --rbind "$own" "$short"
export HOME="$short" CONTAINERS_CONF="$short/plan/containers.conf" CONTAINERS_STORAGE_CONF="$short/plan/storage.conf"
exec /usr/bin/podman --root "$short/store" --runroot "$short/state" --tmpdir "$short/tmp" \
	--default-mounts-file /dev/null --log-level error --runtime "$runtime" --runtime-flag root="$short/crun" \
	run --rm --interactive --pull never --cgroups=disabled --sdnotify ignore --systemd=false --passwd=false --no-hosts \
	--image-volume ignore --unsetenv HOSTNAME --name "cofferdam-$id" --label "cofferdam.run=$id" --pidfile "$short/started/pid" \
	--security-opt seccomp="$short/plan/seccomp.json" \
	--ulimit "nproc=$processes:$processes" \
	--hostname sandbox \
	--user 65532:65532 \
	--workdir /workspace \
	--env HOME=/workspace \
	--env LANG=C.UTF-8 \
	--env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	--env SANDBOX_ARTIFACTS_DIR=/artifacts \
	--env SANDBOX_JOB_ID="$job" \
	--env SANDBOX_RUN_ID="$id" \
	--env SANDBOX_TASK_ID="$task" \
	--env SANDBOX_WORKSPACE_DIR=/workspace \
	--env TMPDIR=/workspace/.tmp \
	--ulimit nofile=1024:1024 \
	--ulimit fsize=1073741824:1073741824 \
	--ulimit core=1:1 \
	--cap-drop all \
	--security-opt no-new-privileges \
	--read-only \
	--network none \
	--umask 0022 \
	--unsetenv-all \
	--entrypoint '["/.cofferdam/init","-p","SIGKILL","-g","--"]' \
	--security-opt mask=/proc/acpi:/proc/asound:/proc/bootconfig:/proc/bus:/proc/cmdline:/proc/interrupts:/proc/kallsyms:/proc/kcore:/proc/key-users:/proc/keys:/proc/kmsg:/proc/kpagecount:/proc/kpageflags:/proc/latency_stats:/proc/modules:/proc/sched_debug:/proc/scsi:/proc/slabinfo:/proc/timer_list:/proc/timer_stats:/proc/vmallocinfo:/sys/class/dmi:/sys/devices/virtual/dmi:/sys/devices/virtual/powercap:/sys/firmware:/sys/fs/bpf:/sys/fs/selinux:/sys/kernel/debug:/sys/kernel/security:/sys/kernel/tracing:/proc/tty:/dev/mqueue:/sys/fs/cgroup \
	--annotation run.oci.seccomp_bpf_data=FILTER \
	--read-only-tmpfs=false \
	--pid private \
	--ipc private \
	--uts private \
	--cgroupns private \
	--uidmap 0:"$root_uid":1 \
	--uidmap 65532:"$program_uid":1 \
	--gidmap 0:"$root_gid":1 \
	--gidmap 65532:"$program_gid":1 \
	--mount type=bind,src="$short/mounts/0",dst=/dev/shm,nosuid,nodev,noexec,bind-nonrecursive \
	--mount type=bind,src="$short/mounts/1",dst=/tmp,nosuid,nodev,noexec,bind-nonrecursive \
	--mount type=bind,src="$short/mounts/2",dst=/run,nosuid,nodev,noexec,bind-nonrecursive \
	--mount type=bind,src="$short/mounts/3",dst=/workspace,nosuid,nodev,bind-nonrecursive \
	--mount type=bind,src="$short/mounts/4",dst=/artifacts,nosuid,nodev,noexec,bind-nonrecursive \
	--mount type=bind,src="$short/mounts/5",dst=/.cofferdam/init,nosuid,nodev,ro,bind-nonrecursive \
	--rootfs "$short/rootfs" "$@"
