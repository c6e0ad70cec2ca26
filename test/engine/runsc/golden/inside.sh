#!/bin/sh
# Becomes the root that runsc is run by, with a bundle and a state that end with these namespaces.
set -eu
id=$1 rootless=$2
# Nothing in here has a use for the host's control groups.
own=/sys/fs/cgroup
/usr/bin/mount -t tmpfs -o nosuid,nodev,size=8m,nr_inodes=256,mode=0700 runsc "$own"
/usr/bin/cat <&6 >"$own/config.json"
# What stands beside the program inside (adapt.ts). Copies, because the gofer passes no folder of the host's root either.
tools=/sys/fs/cgroup/tools
/usr/bin/mkdir "$tools"
for name in init within; do
	/usr/bin/cat "/proc/self/fd/4/$name" >"$tools/$name"
	/usr/bin/chmod 0555 "$tools/$name"
done
/usr/bin/cat /proc/self/fd/4/pty >/sys/fs/cgroup/pty
/usr/bin/chmod 0555 /sys/fs/cgroup/pty
/usr/bin/mkdir /sys/fs/cgroup/terminals
# Terminals of executions: of these namespaces, and not of the host.
/usr/bin/mount -t devpts -o newinstance,nosuid,noexec,ptmxmode=0600,mode=0600 devpts /sys/fs/cgroup/terminals
printf %s BgAAAAAA/38= | /usr/bin/base64 -d >"$tools/filter"
/usr/bin/chmod 0444 "$tools/filter"
/usr/bin/mount -t proc -o nosuid,nodev,noexec proc /proc
# shellcheck disable=SC2317 # called by the trap
runsc() {
	/usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace "$@"
}
# Without a terminal runsc passes no signal on: our init hands it to the program.
trap 'runsc kill "$id" TERM >/dev/null 2>&1 || :' TERM
exec 3<&0 4<&- 6<&-
echo >&9
exec 9>&-
# Its network is none but lo, its host sockets and fifos are none, and the filter of the spec is loaded.
/usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace \
	--network none --oci-seccomp --overlay2 none --host-uds none --host-fifo none --ignore-cgroups --log-fd 5 --log-format json \
	--panic-log "$own/panic" run --bundle "$own" "$id" <&3 3<&- &
child=$!
exec 3<&-
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
	status=0
	wait "$child" || status=$?
done
# Else its status would look like the program's own. A thread that it cannot have is the end of a sentry.
if [ -s "$own/panic" ]; then
	printf '%s\n' '{"level":"error","msg":"gVisor'"'"'s kernel broke down, as it does when limits.pids leaves it no thread: give it more, such as --pids 512"}' >&5
	status=125
fi
exit "$status"
