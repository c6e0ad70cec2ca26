#!/bin/sh
# Starts runsc-inside in namespaces of its own, where root is never root of the host. runsc leaves sentry and gofer behind when
# it is killed; here the kernel ends them all with the first process, which ends with us (pid_namespaces(7)).
set -eu
run_dir=$1 id=$2 root_uid=$3 root_gid=$4 program_uid=$5 program_gid=$6
inside=$(/usr/bin/cat /plan/runsc-inside)
/usr/bin/mkfifo "$run_dir/unshared" "$run_dir/mapped"
# A shell gives its background commands /dev/null before it looks at their redirections. The files are opened here because
# nobody inside may pass the folders of the host's root.
exec 3<&0 4</install/dist/native 5>>"$run_dir/log" 6<"$run_dir/config.json" 8<>"$run_dir/mapped" 9>"$run_dir/started"
# Without this file no program was started, and no status is one.
# shellcheck disable=SC2317 # called by the trap
finish() {
	[ -s "$run_dir/started" ] || printf '%s\n' '{"level":"error","msg":"gVisor was not started; what was said stands above"}' >&5
}
trap finish EXIT
caller=$(/usr/bin/id -u)
uids="0 $root_uid 1 65534 $program_uid 1" gids="0 $root_gid 1 65534 $program_gid 1"
rootless=true
first=''
trap '[ -z "$first" ] || kill -TERM "$first" 2>/dev/null || :' TERM
# A network of its own for runsc, too: its control socket has no folder, and whoever is in the same network can reach it.
# Set again at the end, because the kernel takes it off a process that gets another uid (PR_SET_PDEATHSIG).
# shellcheck disable=SC2016 # read by the shell inside
/usr/bin/setpriv --pdeathsig KILL /usr/bin/unshare --user --keep-caps --mount --propagation private --pid --net --ipc --uts --cgroup \
	--fork --kill-child=SIGKILL /usr/bin/sh -c '
		read -r pid _ </proc/self/stat
		echo "$pid" >&7
		read -r _ <&8
		exec "$@" 7>&- 8<&-
	' sh /usr/bin/setpriv --reuid 0 --regid 0 --clear-groups --inh-caps -all --ambient-caps -all --no-new-privs --pdeathsig KILL \
	/usr/bin/sh -c "$inside" runsc-inside "$id" "$rootless" <&3 3<&- 7>"$run_dir/unshared" &
child=$!
exec 3<&- 4<&- 6<&-
read -r first <"$run_dir/unshared"
# Who enters later compares the start time, field 22 (proc(5)): a pid may be another process's by then.
read -r stat <"/proc/$first/stat"
# shellcheck disable=SC2086 # numbers and one letter
set -- ${stat##*) }
shift 19
printf '%s %s\n' "$first" "$1" >"$run_dir/first"
# shellcheck disable=SC2086 # lists of numbers
if [ "$caller" -eq 0 ]; then
	printf '%s %s %s\n' $uids >"/proc/$first/uid_map"
	printf '%s %s %s\n' $gids >"/proc/$first/gid_map"
else
	/usr/bin/newuidmap "$first" $uids
	/usr/bin/newgidmap "$first" $gids
fi
echo >&8
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
	status=0
	wait "$child" || status=$?
done
exit "$status"
