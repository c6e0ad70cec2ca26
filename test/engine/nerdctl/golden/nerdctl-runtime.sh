#!/bin/sh
# What containerd runs in the place of runc. It makes the container from the bundle of the run, as the launcher wrote it, and not
# from the one that nerdctl wrote; all else is crun's.
set -eu
umask 022
# Nothing of the daemon's environment (LD_LIBRARY_PATH, NOTIFY_SOCKET) reaches crun.
[ "${cofferdam_clean:-}" = 1 ] || exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin cofferdam_clean=1 /usr/bin/sh "$0" "$@"
unset cofferdam_clean

# The options before the command. State is the run's own, not containerd's: it ends with the run, whoever is left to remove it.
log=/dev/stderr
while [ $# -gt 0 ]; do
	case $1 in
	--log) log=$2 && shift 2 ;;
	--root | --log-format) shift 2 ;;
	*) break ;;
	esac
done
tell() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$2"
	exit 1
}
case ${1:-} in
create | start | state | kill | delete | ps) ;;
'' | -*) exec /usr/bin/crun --cgroup-manager=disabled "$@" ;;
*) tell 'a sandbox is entered and changed by: sandbox' "$log" ;;
esac

# The run is known by an annotation; before it there is nothing in the file that anybody but us wrote. The log is in the bundle.
spec=''
read -r spec <"${log%/*}/config.json" || :
value=${spec#*'"cofferdam.run":"'}
[ "$value" != "$spec" ] || tell 'this is no container of a sandbox' "$log"
IFS=' ' read -r pid asked id streams run_dir <<END
${value%%'"'*}
END
case $id in '' | *[!A-Za-z0-9_-]*) tell 'this is no container of a sandbox' "$log" ;; esac
# By the current folder: crun would make a folder that is missing, and with it that of a run which has ended meanwhile.
if ! { [ -d "$run_dir/nerdctl" ] && cd "$run_dir"; } 2>/dev/null; then
	[ "$1" != delete ] || exit 0
	tell 'container does not exist' "$log"
fi
set -- --root ./crun --log "$log" --log-format=json "$@"
case $6 in
create) shift 6 ;;
start)
	# Before, because afterwards the program may have ended already, and the shim with it.
	: >"$run_dir/nerdctl/started"
	/usr/bin/crun --cgroup-manager=disabled "$@" && exit 0
	/usr/bin/rm -f "$run_dir/nerdctl/started"
	tell 'crun did not start the program' "$run_dir/log"
	;;
*)
	/usr/bin/crun --cgroup-manager=disabled "$@" && exit 0
	[ ! -e "crun/$id/status" ] || exit 1
	# The run took its state away meanwhile. The shim keeps a container for ever that it is not told to be gone in these words.
	[ "$6" != delete ] || exit 0
	tell 'container does not exist' "$log"
	;;
esac
pid_file=''
while [ $# -gt 1 ]; do
	[ "$1" != --pid-file ] || pid_file=$2
	shift
done
container=$1

# Opened first, looked at then: so they are those of that process, whichever has its number now. The guest's streams are the
# supervisor's pipes, its mounts those that the run sees.
exec 3<"/proc/$pid/fd/0" 4>"/proc/$pid/fd/1" 5>"/proc/$pid/fd/2" 6<"/proc/$pid/ns/mnt"
read -r score <"/proc/$pid/oom_score_adj"
# read_start PID
read_start() {
	read -r stat <"/proc/$1/stat" || return 1
	# shellcheck disable=SC2086 # the fields are numbers and one letter
	set -- ${stat##*) }
	shift 19
	started=$1
}
read_start "$pid"
[ "$started" = "$asked" ] || tell 'the process that asked for the container has ended' "$log"
# Below a folder that the run's mounts may lack.
exec 7>"$pid_file"
# containerd protects its own processes; a guest is none of them.
echo "$score" >/proc/self/oom_score_adj
for parent in /sys/fs/cgroup/memory/cofferdam/0 /sys/fs/cgroup/pids/cofferdam/0 /sys/fs/cgroup/cpu/cofferdam/0; do
	echo 0 >"$parent/$id/cgroup.procs" || tell 'crun cannot be started in the groups of the run' "$run_dir/log"
done
# By containerd's id, which no other run ever has, and found by the run's.
/usr/bin/mkdir "$run_dir/crun"
/usr/bin/ln -s "$container" "$run_dir/crun/$id"
# It copies itself by way of a file there, else in /tmp: what a kill leaves goes with the run.
export _LIBCONTAINER_STATEDIR="$run_dir"
set -- --no-new-keyring
[ "$streams" != terminal ] || set -- "$@" --console-socket "$run_dir/tty"
set -- /usr/bin/crun --cgroup-manager=disabled --root "$run_dir/crun" --log "$run_dir/log" --log-format=json \
	create "$@" --bundle "$run_dir" --pid-file /proc/self/fd/7 "$container"
# shellcheck disable=SC3013 # every sh of a Debian host has it
[ /proc/self/fd/6 -ef /proc/self/ns/mnt ] || set -- /usr/bin/nsenter --mount=/proc/self/fd/6 -- "$@"
exec "$@" <&3 >&4 2>&5 3<&- 4>&- 5>&-
