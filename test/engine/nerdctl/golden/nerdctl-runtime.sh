#!/bin/sh
# What containerd runs in the place of runc. It makes the container from the bundle of the run, as the launcher wrote it, and not
# from the one that nerdctl wrote; all else is crun's.
set -eu
umask 022
# Nothing of the daemon's environment (LD_LIBRARY_PATH, NOTIFY_SOCKET) reaches crun.
[ "${cofferdam_clean:-}" = 1 ] || exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin cofferdam_clean=1 /usr/bin/sh "$0" "$@"
unset cofferdam_clean

root='' log='' command='' bundle='' pid_file='' container=''
parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--root) root=$2 && shift ;;
		--log) log=$2 && shift ;;
		--log-format) shift ;;
		--bundle) bundle=$2 && shift ;;
		--pid-file) pid_file=$2 && shift ;;
		-*) ;;
		*) if [ -z "$command" ]; then command=$1; else container=$1; fi ;;
		esac
		shift
	done
}
parse "$@"
case $command in
create | start) ;;
state | kill | delete | ps | features | '') exec /usr/bin/crun --cgroup-manager=disabled "$@" ;;
*)
	printf '{"level":"error","msg":"a sandbox knows no %s; see: sandbox --help"}\n' "$command" >>"${log:-/dev/stderr}"
	exit 1
	;;
esac

# The run is known by an annotation; before it there is nothing in the file that anybody but us wrote.
read -r spec <"${bundle:=${log%/*}}/config.json" || :
value=${spec#*'"cofferdam.run":"'}
[ "$value" != "$spec" ] || exit 1
IFS=' ' read -r pid asked id streams run_dir <<END
${value%%'"'*}
END
case $id in '' | *[!A-Za-z0-9_-]*) exit 1 ;; esac
fail() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$run_dir/log"
	exit 1
}
if [ "$command" = start ]; then
	/usr/bin/crun --cgroup-manager=disabled "$@" || fail 'crun did not start the program'
	: >"$run_dir/nerdctl/started"
	exit 0
fi

# Opened first, looked at then: so they are those of that process, whichever has its number now. The guest's streams are the
# supervisor's pipes, its mounts those that the run sees.
exec 3<"/proc/$pid/fd/0" 4>"/proc/$pid/fd/1" 5>"/proc/$pid/fd/2" 6<"/proc/$pid/ns/mnt" || exit 1
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
[ "$started" = "$asked" ] || exit 1
# containerd protects its own processes; a guest is none of them.
echo "$score" >/proc/self/oom_score_adj
for parent in /sys/fs/cgroup/memory/cofferdam/0 /sys/fs/cgroup/pids/cofferdam/0 /sys/fs/cgroup/cpu/cofferdam/0; do
	echo 0 >"$parent/$id/cgroup.procs" || fail 'crun cannot be started in the groups of the run'
done
# Where the state is looked for as crun's own runs have it.
/usr/bin/mkdir "$run_dir/crun"
/usr/bin/ln -s "$root/$container" "$run_dir/crun/$id"
# It copies itself by way of a file there, else in /tmp: what a kill leaves goes with the run.
export _LIBCONTAINER_STATEDIR="$run_dir"
set -- --no-new-keyring
[ "$streams" != terminal ] || set -- "$@" --console-socket "$run_dir/tty"
set -- /usr/bin/crun --cgroup-manager=disabled --root "$root" --log "$run_dir/log" --log-format=json \
	create "$@" --bundle "$run_dir" --pid-file "$pid_file" "$container"
# shellcheck disable=SC3013 # every sh of a Debian host has it
[ /proc/self/fd/6 -ef /proc/self/ns/mnt ] || set -- /usr/bin/nsenter --mount=/proc/self/fd/6 -- "$@"
exec "$@" <&3 >&4 2>&5 3<&- 4>&- 5>&-
