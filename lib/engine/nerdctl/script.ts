// Owns the script that the supervisor runs: it has containerd run one container, and ends with it.
import { renderFlags } from '../flags/render.ts';
import { type LaunchVariable, quoteLiteral, renderWait } from '../words.ts';
import { client, idFile, type NerdctlScript, ownFolder, readStart, runAnnotation, tidy } from './input.ts';

/** What the launcher passes, in this order; then `terminal`, where the program gets one. */
export const passed: readonly LaunchVariable[] = ['run_dir', 'id'];

function renderClient(input: NerdctlScript): string {
  const { flags, label, planDirectory, rootfs } = input;
  return [
    `${client(input)} run --name "$name" --label ${quoteLiteral(label)}`,
    idFile(input),
    ...renderFlags(flags),
    `--annotation "${runAnnotation}=$$ $started $id $streams $run_dir"`,
    `--runtime ${quoteLiteral(`${planDirectory}/nerdctl-runtime`)}`,
    `--rootfs ${quoteLiteral(rootfs)}`,
  ].join(' \\\n\t');
}

/** Run by the supervisor. Pure. */
export function renderRun(input: NerdctlScript): string {
  const { tools, planDirectory, parents } = input;
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
case $run_dir in *[!A-Za-z0-9_./-]*) fail 'the folder of the run has a name that an annotation does not hold' ;; esac

# What the groups bound is the guest alone: client and scripts are none of it.
for parent in ${parents.map(quoteLiteral).join(' ')}; do
	echo 0 >"$parent/cgroup.procs" || fail 'nerdctl cannot be started outside of the groups of the run'
done
${tools.mkdir} "$own"
${tools.mkfifo} -m 0600 "$own/alive"
${readStart}
read_start $$

# Whoever kills us leaves containerd running the container. The watch reads a pipe that only we can write to, and in a
# session of its own is not killed with us: at our end it ends whatever is in the groups, and removes the container.
exec 5<>"$own/alive"
exec 6<"$own/alive"
${tools.setsid} ${tools.sh} ${quoteLiteral(`${planDirectory}/nerdctl-watch`)} "$name" ${leaves} <&6 >/dev/null 2>&1 5>&- 6<&- &
watch=$!
exec 6<&-

# The guest's streams are ours, which the runtime takes from us; these are the client's own.
${tools.setpriv} --pdeathsig KILL ${renderClient(input)} </dev/null >"$own/said" 2>&1 5>&- &
client=$!
# Before the program runs there is nobody to tell.
# shellcheck disable=SC2317 # the trap calls it
stop() {
	[ -e "$own/started" ] && ${tools.crun} --root "$run_dir/crun" kill "$id" TERM </dev/null >/dev/null 2>&1 5>&- && return
	kill -KILL "$client" 2>/dev/null || :
}
trap stop TERM
${renderWait('client')}
empty=1
for leaf in ${leaves}; do ! read -r _ <"$leaf/cgroup.procs" || empty=''; done
if [ -n "$empty" ] && [ -e "$own/started" ] && [ ! -s "$own/said" ]; then
	echo ended >&5
	${tidy(input)} || fail 'what nerdctl kept of the container cannot be removed'
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
