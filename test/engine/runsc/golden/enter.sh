#!/bin/sh
# Brings a command into a sandbox of gVisor, and ends it and all that it started when it is told to.
set -eu
run_dir=$1 terminal=${2:-}
execution=${run_dir##*/}
id=s0123456789abcdef-1 first=4711

# A pid may be another process's by now: field 22 of proc(5).
is_first() {
	read -r stat <"/proc/$first/stat" || return 1
	# shellcheck disable=SC2086 # numbers and one letter
	set -- ${stat##*) }
	shift 19
	[ "$1" = 123456 ]
}

# enter SCRIPT WORD...: as root of the namespaces around runsc.
enter() {
	/usr/bin/nsenter --target "$first" --user --mount --pid --net --setuid 0 --setgid 0 /usr/bin/sh -euc "$@"
}

# The mark of the execution: a supplementary group, which its processes inherit and cannot drop. Far from all that is used.
mark=$((0x40000000 + 0x${execution#??????????}))

# shellcheck disable=SC2317 # called by a trap, too
# end_tree GRACE-MS: ends all that bears the mark. No /dev/null for runsc: it would be handed inside.
end_tree() {
	# shellcheck disable=SC2016 # read by the shell inside
	is_first && enter ': | /usr/bin/runsc --root /sys/fs/cgroup/state exec --user 0:0 --cap CAP_KILL --cwd / "$1" /.cofferdam/within end "$2" "$3" 2>&1 | /usr/bin/cat >/dev/null' sh "$id" "$mark" "$1"
}

fail() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$run_dir/log"
	exit 125
}
is_first || fail 'its program has ended'
/usr/bin/mkfifo "$run_dir/alive"
# Opened for both first, so that nothing waits. The watch holds the end that is read, and we alone the other one.
exec 3<&0 5>>"$run_dir/log" 6<"$run_dir/config.json" 9<>"$run_dir/alive"
exec 7<"$run_dir/alive"
exec 8>"$run_dir/alive" 9>&-
watched=$(/usr/bin/setsid /usr/bin/sh /run/runs/s0123456789abcdef-1/runsc-watch "$execution" <&7 3<&- 5>&- 6<&- 7<&- 8>&- &)
[ "$watched" = watching ] || fail 'nobody would end it with its caller: the watch could not be started'
exec 7<&-
trap 'end_tree 1000 || :' TERM
IFS= read -r process <&6 || [ -n "$process" ] || fail 'its description cannot be read'
exec 6<&-
head='{"user":{'
case $process in
"$head"*) process=$head'"additionalGids":['$mark'],'${process#"$head"} ;;
*) fail 'its description begins in a way that we do not know' ;;
esac
# shellcheck disable=SC2016 # read by the shell inside
printf %s "$process" | enter '
	/usr/bin/cat >/sys/fs/cgroup/"$2.json"
' sh "$id" "$execution"
# A pty of the namespaces around the sandbox, which runsc hands inside; its session is that of runsc, which tells of a new size.
[ -z "$terminal" ] || set -- /sys/fs/cgroup/pty open cooked /sys/fs/cgroup/terminals/ptmx
[ -n "$terminal" ] || set --
# shellcheck disable=SC2016
enter '
	id=$1 execution=$2
	shift 2
	exec "$@" /usr/bin/runsc --root /sys/fs/cgroup/state --log-fd 5 --log-format json exec --process /sys/fs/cgroup/"$execution.json" --internal-pid-file /sys/fs/cgroup/"$execution.pid" "$id"
' sh "$id" "$execution" "$@" <&3 3<&- 8>&- &
child=$!
exec 3<&-
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
	status=0
	wait "$child" || status=$?
done
# The watch may have been killed.
trap '' PIPE
echo ended >&8 2>/dev/null || :
# Without this file nothing was brought in, and no status is one.
# shellcheck disable=SC2016
enter '
	status=0
	[ -s /sys/fs/cgroup/"$1.pid" ] || status=1
	/usr/bin/rm -f /sys/fs/cgroup/"$1.pid" /sys/fs/cgroup/"$1.json"
	exit "$status"
' sh "$execution" || fail 'gVisor did not bring it in; what was said stands above'
exit "$status"
