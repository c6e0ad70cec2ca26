#!/bin/sh
# Ends what is left of a run whose scripts were killed. Its input ends with them.
set -eu
name=$1
shift
word='' client=''
while read -r word; do
	[ "$word" != ended ] || break
	client=$word
done
# kill_rest LEAF...: without a process of ours, and without the daemon: it works when neither can be had. Pid 0 is of another pid namespace.
kill_rest() {
	for leaf; do
		while read -r pid; do
			[ "$pid" = 0 ] || kill -KILL "$pid" 2>/dev/null || :
		done 2>/dev/null <"$leaf/cgroup.procs" || :
	done
}
if [ "$word" != ended ]; then
	# A client that is about to end takes its container along; ten seconds.
	tries=0
	while [ -n "$client" ] && [ "$tries" -lt 100 ] && kill -0 "$client" 2>/dev/null; do
		kill_rest "$@"
		tries=$((tries + 1))
		/usr/bin/sleep 0.1
	done
	for _ in 1 2 3; do
		kill_rest "$@"
		# A container that was being made when its maker was killed may come a moment later.
		/usr/bin/docker --host unix:///run/docker.sock rm --force --volumes "$name" >/dev/null 2>&1 || :
		/usr/bin/sleep 0.3
	done
fi
