// Owns the scripts of one execution in a sandbox of gVisor. The sentry goes on with a command whose runsc was killed: so one
// brings it in and ends it when asked, and another, outside the groups of the execution, when nobody asks any more.
import type { LiveRun } from '../types.ts';
import { quoteLiteral, renderWait } from '../words.ts';
import { ptyPlace } from './script.ts';

export type EnterTool = 'runsc' | 'sh' | 'nsenter' | 'setsid' | 'mkfifo' | 'cat' | 'rm';

export interface EnterInput {
  /** Absolute paths. */
  readonly tools: Readonly<Record<EnterTool, string>>;
  /** Path of our helper inside. */
  readonly helper: string;
  readonly run: LiveRun;
  /** The first process of the namespaces around runsc. */
  readonly first: { readonly pid: string; readonly started: string };
}

/** Of the 2 s that a supervisor waits between TERM and KILL (lib/run/launch.ts). */
const politeMs = 1000;

const own = '/sys/fs/cgroup';

function renderShared({ tools, helper, run, first }: EnterInput): string {
  const end = `${tools.runsc} --root ${own}/state exec --user 0:0 --cap CAP_KILL --cwd / "$1" ${helper} end "$2" "$3"`;
  return `id=${quoteLiteral(run.id)} first=${first.pid}

# A pid may be another process's by now: field 22 of proc(5).
is_first() {
	read -r stat <"/proc/$first/stat" || return 1
	# shellcheck disable=SC2086 # numbers and one letter
	set -- \${stat##*) }
	shift 19
	[ "$1" = ${first.started} ]
}

# enter SCRIPT WORD...: as root of the namespaces around runsc.
enter() {
	${tools.nsenter} --target "$first" --user --mount --pid --net --setuid 0 --setgid 0 ${tools.sh} -euc "$@"
}

# The mark of the execution: a supplementary group, which its processes inherit and cannot drop. Far from all that is used.
mark=$((0x40000000 + 0x\${execution#??????????}))

# shellcheck disable=SC2317 # called by a trap, too
# end_tree GRACE-MS: ends all that bears the mark. No /dev/null for runsc: it would be handed inside.
end_tree() {
	# shellcheck disable=SC2016 # read by the shell inside
	is_first && enter ': | ${end} 2>&1 | ${tools.cat} >/dev/null' sh "$id" "$mark" "$1"
}`;
}

/** Started by the supervisor of an execution: RUN-DIRECTORY, and `terminal` where it gets one. Pure. */
export function renderEnter(input: EnterInput): string {
  const { tools, run } = input;
  const common = `${tools.runsc} --root ${own}/state --log-fd 5 --log-format json exec`;
  return `#!/bin/sh
# Brings a command into a sandbox of gVisor, and ends it and all that it started when it is told to.
set -eu
run_dir=$1 terminal=\${2:-}
execution=\${run_dir##*/}
${renderShared(input)}

fail() {
	printf '{"level":"error","msg":"%s"}\\n' "$1" >>"$run_dir/log"
	exit 125
}
is_first || fail 'its program has ended'
${tools.mkfifo} "$run_dir/alive"
# Opened for both first, so that nothing waits. The watch holds the end that is read, and we alone the other one.
exec 3<&0 5>>"$run_dir/log" 6<"$run_dir/config.json" 9<>"$run_dir/alive"
exec 7<"$run_dir/alive"
exec 8>"$run_dir/alive" 9>&-
watched=$(${tools.setsid} ${tools.sh} ${quoteLiteral(`${run.runDirectory}/runsc-watch`)} "$execution" <&7 3<&- 5>&- 6<&- 7<&- 8>&- &)
[ "$watched" = watching ] || fail 'nobody would end it with its caller: the watch could not be started'
exec 7<&-
trap 'end_tree ${politeMs} || :' TERM
IFS= read -r process <&6 || [ -n "$process" ] || fail 'its description cannot be read'
exec 6<&-
head='{"user":{'
case $process in
"$head"*) process=$head'"additionalGids":['$mark'],'\${process#"$head"} ;;
*) fail 'its description begins in a way that we do not know' ;;
esac
# shellcheck disable=SC2016 # read by the shell inside
printf %s "$process" | enter '
	${tools.cat} >${own}/"$2.json"
' sh "$id" "$execution"
# A pty of the namespaces around the sandbox, which runsc hands inside; its session is that of runsc, which tells of a new size.
[ -z "$terminal" ] || set -- ${ptyPlace.helper} open cooked ${ptyPlace.ptmx}
[ -n "$terminal" ] || set --
# shellcheck disable=SC2016
enter '
	id=$1 execution=$2
	shift 2
	exec "$@" ${common} --process ${own}/"$execution.json" --internal-pid-file ${own}/"$execution.pid" "$id"
' sh "$id" "$execution" "$@" <&3 3<&- 8>&- &
child=$!
exec 3<&-
${renderWait('child')}
# The watch may have been killed.
trap '' PIPE
echo ended >&8 2>/dev/null || :
# Without this file nothing was brought in, and no status is one.
# shellcheck disable=SC2016
enter '
	status=0
	[ -s ${own}/"$1.pid" ] || status=1
	${tools.rm} -f ${own}/"$1.pid" ${own}/"$1.json"
	exit "$status"
' sh "$execution" || fail 'gVisor did not bring it in; what was said stands above'
exit "$status"
`;
}

/** Run in a session of its own: EXECUTION. Its input ends with the script above. Pure. */
export function renderWatch(input: EnterInput): string {
  const { run } = input;
  return `#!/bin/sh
# Ends a command in a sandbox of gVisor, and all that it started, when whoever brought it in was killed.
set -eu
execution=$1
${renderShared(input)}

# In the groups of the sandbox, because those of the execution are emptied.
for leaf in ${run.leaves.map(quoteLiteral).join(' ')}; do
	echo 0 >"$leaf/cgroup.procs"
done
echo watching
exec >/dev/null 2>&1
said=''
read -r said || :
[ "$said" = ended ] || end_tree 0
`;
}
