// Owns the script that outlives the others of a daemon's run: nothing goes on where they were killed, and nothing of it stays.

export interface WatchInput {
  /** The command that removes the container `$name`, killing it. */
  readonly remove: string;
  /** A command that takes away what the client itself kept, once the container is gone. */
  readonly tidy?: string;
  /** Absolute path. */
  readonly sleep: string;
}

/** Run in a session of its own until the run ends: `watch NAME LEAF…`. Pure. */
export function renderWatch({ remove, tidy, sleep }: WatchInput): string {
  const kept = tidy === undefined ? '' : `\n# Here, because nobody who ends the run kills us half-way.\n${tidy}\n`;
  return `#!/bin/sh
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
		${sleep} 0.1
	done
	for _ in 1 2 3; do
		kill_rest "$@"
		# A container that was being made when its maker was killed may come a moment later.
		${remove} >/dev/null 2>&1 || :
		${sleep} 0.3
	done
fi
${kept}`;
}
