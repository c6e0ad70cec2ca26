// Owns the script that the supervisor runs: it has containerd run one container, and ends with it.
import { renderFlags } from '../flags/render.ts';
import { type LaunchVariable, quoteLiteral, renderWait } from '../words.ts';
import { client, dataRoot, idFile, inKit, type NerdctlScript, ownFolder, readStart, runAnnotation } from './input.ts';

/** What the launcher passes, in this order; then `terminal`, where the program gets one. */
export const passed: readonly LaunchVariable[] = ['run_dir', 'id'];

function renderClient(input: NerdctlScript): string {
  const { flags, label, planDirectory, rootfs } = input;
  return [
    `${inKit(input)}${client(input)} run --name "$name" --label ${quoteLiteral(label)}`,
    idFile(input),
    ...renderFlags(flags),
    `--annotation "${runAnnotation}=$$ $started $id $streams $run_dir"`,
    `--runtime ${quoteLiteral(`${planDirectory}/nerdctl-runtime`)}`,
    `--rootfs ${quoteLiteral(rootfs)}`,
  ].join(' \\\n\t');
}

/** Run by the supervisor. Pure. */
export function renderRun(input: NerdctlScript): string {
  const { tools, planDirectory, parents, findKit } = input;
  const leaves = parents.map((parent) => `${quoteLiteral(parent)}/"$id"`).join(' ');
  return `#!/bin/sh
# Has containerd run one container by our own bundle (nerdctl-runtime puts it in), and ends with it.
set -eu
${passed.map((name, i) => `${name}=$${i + 1}`).join(' ')} streams=\${${passed.length + 1}:-pipes}
own=$run_dir/${ownFolder}
name=cofferdam-$id
fail() {
	printf '{"level":"error","msg":"%s"}\\n' "$1" >>"$run_dir/log"
	exit 125
}
${findKit}case $run_dir in *[!A-Za-z0-9_./-]*) fail 'the folder of the run has a name that an annotation does not hold' ;; esac

${tools.mkdir} "$own"
${tools.mkfifo} -m 0600 "$own/alive"
${readStart}
read_start $$

# Whoever kills us leaves containerd running the container. The watch reads a pipe that only we can write to, and in a
# session of its own is not killed with us: at our end it ends whatever is in the groups, and removes the container.
exec 5<>"$own/alive"
exec 6<"$own/alive"
${tools.setsid} ${inKit(input)}${tools.sh} ${quoteLiteral(`${planDirectory}/nerdctl-watch`)} "$name" ${leaves} <&6 >/dev/null 2>&1 5>&- 6<&- &
watch=$!
exec 6<&-

# The guest's streams are ours, which the runtime takes from us; these are the client's own.
# Whoever kills us does not kill the client, which would leave a shim of containerd's for ever: the watch ends the program, and so it.
${tools.setsid} ${renderClient(input)} </dev/null >"$own/said" 2>&1 5>&- &
client=$!
echo "$client" >&5
# Before the program runs there is nobody to tell.
# shellcheck disable=SC2317 # the trap calls it
stop() {
	if [ -e "$own/started" ]; then
		# It fails when the program has just ended: then the client is at work behind it.
		${tools.crun} --root "$run_dir/crun" kill "$id" TERM </dev/null >/dev/null 2>&1 5>&- || :
	else
		kill -KILL "$client" 2>/dev/null || :
	fi
}
trap stop TERM
${renderWait('client')}
empty=1
for leaf in ${leaves}; do ! read -r _ <"$leaf/cgroup.procs" || empty=''; done
# What nerdctl takes away last: it stays where the client was killed before.
for left in ${dataRoot(input)}/*/containers/*/*; do [ ! -e "$left" ] || empty=''; done
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
said=$(${tools.cat} "$own/said")
case $said in *level=fatal*)
	printf '%s\\n' "$said" >&2
	[ -e "$own/started" ] || fail 'containerd did not start the program; what nerdctl said stands above'
	# The status is then its own, and not the program's.
	fail 'containerd lost the program, which was ended; what nerdctl said stands above'
	;;
esac
[ -e "$own/started" ] || fail 'containerd did not start the program'
exit "$status"
`;
}
