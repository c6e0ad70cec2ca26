#!/bin/sh
# Starts podman-inside in namespaces of its own. podman leaves its monitor and the sandbox behind when it is killed; here
# the kernel ends them all with the first process, which ends with us (pid_namespaces(7), PR_SET_PDEATHSIG).
set -eu
run_dir=$1
/usr/bin/mkdir "$run_dir/podman" "$run_dir/started"
map='--user --map-root-user --map-auto'
# A shell gives its background commands /dev/null before it looks at their redirections.
exec 3<&0
[ "$(/usr/bin/id -u)" -ne 0 ] || map=''
# shellcheck disable=SC2086 # $map is a list of fixed words
/usr/bin/setpriv --pdeathsig KILL /usr/bin/unshare $map --mount --propagation private \
	--pid --fork --kill-child=SIGKILL --mount-proc /usr/bin/sh /plan/podman-inside "${map:-none}" "$@" <&3 3<&- &
child=$!
# unshare ignores TERM while it waits: the whole process group gets it, and podman hands it to the program.
trap 'trap "" TERM; kill -TERM 0' TERM
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
	status=0
	wait "$child" || status=$?
done
# podman's own failures have the statuses of programs that were not found; without this file no program was started.
[ -s "$run_dir/started/pid" ] ||
	printf '%s\n' '{"level":"error","msg":"podman did not start it; what it said stands above"}' >>"$run_dir/log"
exit "$status"
