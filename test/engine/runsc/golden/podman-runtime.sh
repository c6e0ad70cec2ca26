#!/bin/sh
# What podman runs in the place of runc. It makes the sandbox from the bundle of the run, as the launcher wrote it, and not from
# the one that podman wrote. There is one sandbox here, whatever podman calls it.
set -eu
umask 077
own=/sys/fs/cgroup
read -r id rootless <"$own/run"
fail() {
	printf 'sandbox: %s
' "$1" >&2
	exit 1
}
runsc() {
	/usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace "$@"
}
while [ $# -gt 0 ]; do
	case $1 in
	--log | --log-format | --root | --cgroup-manager) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
command=${1:-} pid_file='' word=''
while [ $# -gt 0 ]; do
	[ "$word" != --pid-file ] || pid_file=$1
	word=$1
	shift
done
case $command in
create)
	{ [ -n "$pid_file" ] && [ ! -e "$own/pid" ]; } || fail 'podman asked for a sandbox in a way that we do not know'
	/usr/bin/mkfifo "$own/start"
	# Opened for both and before anybody can write, so that no word is lost. A shell gives its background commands /dev/null before
	# it looks at their redirections.
	exec 3<&0 4<>"$own/start"
	(
		read -r _ <&4
		exec 4<&-
		# The monitor is the parent by now, and its end is the end of the sandbox.
		exec /usr/bin/setpriv --pdeathsig KILL /usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace \
			--network none --oci-seccomp --overlay2 none --host-uds none --host-fifo none --ignore-cgroups --log "$own/log" --log-format json \
			--panic-log "$own/panic" run --bundle "$own" "$id"
	) <&3 3<&- &
	printf %s "$!" >"$own/pid"
	printf %s "$!" >"$pid_file"
	;;
start)
	# For both here too: nothing waits for a reader who was killed.
	exec 4<>"$own/start"
	echo >&4
	: >"$own/begun"
	;;
state)
	read -r pid <"$own/pid" || [ -n "$pid" ] || fail 'no sandbox was made'
	state=stopped
	if kill -0 "$pid" 2>/dev/null; then
		state=running
		[ -e "$own/begun" ] || state=created
	fi
	printf '{"ociVersion":"1.0.2","id":"%s","status":"%s","pid":%s,"bundle":"%s"}
' "$word" "$state" "$pid" "$own"
	;;
kill) runsc kill "$id" "$word" ;;
delete)
	runsc delete --force "$id"
	: >"$own/ended"
	;;
*) fail 'a sandbox is entered and changed by: sandbox' ;;
esac
