#!/bin/sh
# Has containerd run one container by our own bundle (nerdctl-runtime puts it in), and ends with it.
set -eu
run_dir=$1 id=$2 streams=${3:-pipes}
own=$run_dir/nerdctl
name=cofferdam-$id
fail() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$run_dir/log"
	exit 125
}
case $run_dir in *[!A-Za-z0-9_./-]*) fail 'the folder of the run has a name that an annotation does not hold' ;; esac

/usr/bin/mkdir "$own"
/usr/bin/mkfifo -m 0600 "$own/alive"
# read_start PID
read_start() {
	read -r stat <"/proc/$1/stat" || return 1
	# shellcheck disable=SC2086 # the fields are numbers and one letter
	set -- ${stat##*) }
	shift 19
	started=$1
}
read_start $$

# Whoever kills us leaves containerd running the container. The watch reads a pipe that only we can write to, and in a
# session of its own is not killed with us: at our end it ends whatever is in the groups, and removes the container.
exec 5<>"$own/alive"
exec 6<"$own/alive"
/usr/bin/setsid /usr/bin/sh /plan/nerdctl-watch "$name" /sys/fs/cgroup/memory/cofferdam/0/"$id" /sys/fs/cgroup/pids/cofferdam/0/"$id" /sys/fs/cgroup/cpu/cofferdam/0/"$id" <&6 >/dev/null 2>&1 5>&- 6<&- &
watch=$!
exec 6<&-

# The guest's streams are ours, which the runtime takes from us; these are the client's own.
# Whoever kills us does not kill the client, which would leave a shim of containerd's for ever: the watch ends the program, and so it.
/usr/bin/setsid /usr/bin/nerdctl --address /run/containerd/containerd.sock --namespace cofferdam --data-root /run/cofferdam/nerdctl/containers/"$name" run --name "$name" --label cofferdam.records=/run/cofferdam/records \
	--cidfile /run/cofferdam/nerdctl/containers/"$name"/cid \
	--rm \
	--pull never \
	--read-only \
	--entrypoint /.cofferdam/not-by-this-bundle \
	--annotation "cofferdam.run=$$ $started $id $streams $run_dir" \
	--runtime /plan/nerdctl-runtime \
	--rootfs /image/rootfs </dev/null >"$own/said" 2>&1 5>&- &
client=$!
echo "$client" >&5
# Before the program runs there is nobody to tell.
# shellcheck disable=SC2317 # the trap calls it
stop() {
	if [ -e "$own/started" ]; then
		# It fails when the program has just ended: then the client is at work behind it.
		/usr/bin/crun --root "$run_dir/crun" kill "$id" TERM </dev/null >/dev/null 2>&1 5>&- || :
	else
		kill -KILL "$client" 2>/dev/null || :
	fi
}
trap stop TERM
status=0
wait "$client" || status=$?
while kill -0 "$client" 2>/dev/null; do
	status=0
	wait "$client" || status=$?
done
empty=1
for leaf in /sys/fs/cgroup/memory/cofferdam/0/"$id" /sys/fs/cgroup/pids/cofferdam/0/"$id" /sys/fs/cgroup/cpu/cofferdam/0/"$id"; do ! read -r _ <"$leaf/cgroup.procs" || empty=''; done
# What nerdctl takes away last: it stays where the client was killed before.
for left in /run/cofferdam/nerdctl/containers/"$name"/*/containers/*/*; do [ ! -e "$left" ] || empty=''; done
if [ -n "$empty" ] && [ -e "$own/started" ] && [ ! -s "$own/said" ]; then
	# The watch takes away what nerdctl kept: whoever wants us gone kills us, and not the watch.
	trap '' TERM
	echo ended >&5
	exec 5>&-
	wait "$watch" || :
	exit "$status"
fi
# The client ended and the container did not, or nobody knows whether it did: the watch sees to it.
exec 5>&-
wait "$watch" || :
said=$(/usr/bin/cat "$own/said")
case $said in *level=fatal*)
	printf '%s\n' "$said" >&2
	[ -e "$own/started" ] || fail 'containerd did not start the program; what nerdctl said stands above'
	# The status is then its own, and not the program's.
	fail 'containerd lost the program, which was ended; what nerdctl said stands above'
	;;
esac
[ -e "$own/started" ] || fail 'containerd did not start the program'
exit "$status"
