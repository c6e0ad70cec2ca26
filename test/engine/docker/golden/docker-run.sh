#!/bin/sh
# Runs one container of docker's: made, moved into the run's own control groups while it waits, started, and ended with us.
set -eu
run_dir=$1
id=$2
task=$3
job=$4
workspace=$5
way_out=$6
terminal=$7
shift 7
own=$run_dir/docker
name=cofferdam-$id
: "$task" "$job"
fail() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$run_dir/log"
	exit 125
}

/usr/bin/mkdir "$own"
/usr/bin/mkfifo -m 0600 "$own/alive"
/usr/bin/mkfifo -m 0644 "$own/gate"
# Names without commas or quotes for folders that may have any.
[ -z "$workspace" ] || /usr/bin/ln -s -- "$workspace" "$own/workspace"
[ -z "$way_out" ] || /usr/bin/ln -s -- "$way_out" "$own/way-out"

# Whoever kills us leaves the daemon running the container. The watch reads a pipe that only we can write to, and in a
# session of its own is not killed with us: at our end it ends whatever is in the groups, and removes the container.
exec 3<&0 </dev/null
exec 5<>"$own/alive"
exec 6<"$own/alive"
/usr/bin/setsid /usr/bin/sh /plan/docker-watch "$name" /sys/fs/cgroup/memory/cofferdam/0/"$id" /sys/fs/cgroup/pids/cofferdam/0/"$id" /sys/fs/cgroup/cpu/cofferdam/0/"$id" <&6 >/dev/null 2>&1 3<&- 5>&- 6<&- &
watch=$!
exec 6<&-

/usr/bin/docker --host unix:///run/docker.sock create ${terminal:+--tty} --name "$name" --label "cofferdam.run=$id" \
	--cgroup-parent /cofferdam/docker \
	--label cofferdam.records=/run/cofferdam/records \
	--interactive \
	--rm \
	--no-healthcheck \
	--pull never \
	--init=false \
	--runtime runc \
	--ipc private \
	--cgroupns private \
	--log-driver none \
	--restart no \
	--env HOSTNAME \
	--entrypoint /.cofferdam/init \
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
	--tmpfs /dev/shm:nosuid,nodev,noexec,size=67108864,nr_inodes=16384,mode=0700,uid=65532,gid=65532 \
	--tmpfs /tmp:nosuid,nodev,noexec,size=67108864,nr_inodes=16384,mode=0700,uid=65532,gid=65532 \
	--tmpfs /run:nosuid,nodev,noexec,size=16777216,nr_inodes=16384,mode=0755,uid=65532,gid=65532 \
	--tmpfs /workspace:nosuid,nodev,size=268435456,nr_inodes=65536,mode=0755,uid=65532,gid=65532,exec \
	--tmpfs /artifacts:nosuid,nodev,noexec,size=67108864,nr_inodes=2024,mode=0755,uid=65532,gid=65532 \
	--mount type=bind,src=/var/lib/cofferdam/init/tini,dst=/.cofferdam/init,readonly,bind-propagation=private,bind-nonrecursive \
	--sysctl net.ipv6.conf.all.disable_ipv6=0 \
	--sysctl net.ipv6.conf.default.disable_ipv6=0 \
	--sysctl net.ipv6.conf.lo.disable_ipv6=0 \
	--mount type=bind,src=/var/lib/cofferdam/images/sample/rootfs/etc/hosts,dst=/etc/hosts,readonly,bind-propagation=private \
	--mount type=bind,src=/var/lib/cofferdam/images/sample/rootfs/etc/hostname,dst=/etc/hostname,readonly,bind-propagation=private \
	--mount type=bind,src=/var/lib/cofferdam/images/sample/rootfs/etc/resolv.conf,dst=/etc/resolv.conf,readonly,bind-propagation=private \
	--tmpfs /dev/mqueue:ro,nosuid,nodev,noexec,size=4k,mode=0755 \
	--tmpfs /sys/fs/cgroup:ro,nosuid,nodev,noexec,size=4k,mode=0755 \
	--tmpfs /sys/firmware:ro,nosuid,nodev,noexec,size=4k,mode=0755 \
	--mount type=bind,src="$run_dir"/docker/gate,dst=/.cofferdam/gate,readonly,bind-propagation=private \
	--security-opt seccomp=/plan/seccomp.json \
	sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -p SIGKILL -g -- /bin/sh -c 'umask 0022; unset PWD OLDPWD; read -r go </.cofferdam/gate; [ "$go" = go ] || exit 125; exec "$@"' sh "$@" >"$own/cid" 3<&- 5>&- ||
	fail 'docker did not make the container; what it said stands above'
/usr/bin/setpriv --pdeathsig KILL /usr/bin/sh /plan/docker-gate "$run_dir" "$id" >/dev/null 2>&1 3<&- 5>&- &
gate=$!
# On a terminal its client wants one, too: that is a pty of ours, of the host. It would leave the container at some keys: bytes that
# nobody types, as they are in no UTF-8.
set -- /usr/bin/docker --host unix:///run/docker.sock start --attach --interactive
if [ -n "$terminal" ]; then
	pty=/install/dist/native/pty
	set -- "$pty" connect "$run_dir" "$pty" open raw /dev/ptmx "$@" --detach-keys "$(printf '\377,\377,\377,\377')"
fi
/usr/bin/setpriv --pdeathsig KILL "$@" "$name" <&3 3<&- 5>&- &
client=$!
exec 3<&-
# Not through the client: it passes none on with some versions.
# shellcheck disable=SC2317 # the trap calls it
stop() {
	/usr/bin/docker --host unix:///run/docker.sock kill --signal TERM "$name" </dev/null >/dev/null 2>&1 5>&- &
}
trap stop TERM
status=0
wait "$client" || status=$?
while kill -0 "$client" 2>/dev/null; do
	status=0
	wait "$client" || status=$?
done
kill "$gate" 2>/dev/null || :
empty=1
for leaf in /sys/fs/cgroup/memory/cofferdam/0/"$id" /sys/fs/cgroup/pids/cofferdam/0/"$id" /sys/fs/cgroup/cpu/cofferdam/0/"$id"; do ! read -r _ <"$leaf/cgroup.procs" || empty=''; done
if [ -n "$empty" ] && [ -e "$own/admitted" ]; then
	echo ended >&5
	exit "$status"
fi
# The client ended and the container did not, or nobody knows whether it did: the watch sees to it.
exec 5>&-
wait "$watch" || :
[ -e "$own/admitted" ] || fail 'docker did not start the program; what it said stands above'
exit "$status"
