// Owns the script that the supervisor runs: it has a container made, admitted and started, and ends with it.
import { renderFlags } from '../flags/render.ts';
import { type LaunchVariable, quoteLiteral, renderWait, renderWord, type ShellWord } from '../words.ts';
import { client, type DockerScript, sayError } from './input.ts';
import { ownFolder } from './lower.ts';

function takeVariables(variables: readonly LaunchVariable[]): string {
  return [...variables.map((name, i) => `${name}=$${i + 1}`), `shift ${variables.length}`].join('\n');
}

function leaves({ groups }: DockerScript): string {
  return groups.map(({ parent }) => `${renderWord([`${parent}/`, { variable: 'id' }])}`).join(' ');
}

function renderCreate(input: DockerScript): string {
  const { flags, label, image, cgroupParent, before } = input;
  const named: ShellWord[] = ['--cgroup-parent', cgroupParent, '--label', label];
  return [
    `${client(input)} create \${terminal:+--tty} --name "$name" --label "cofferdam.run=$id"`,
    ...renderFlags([...named, ...flags]),
    `--security-opt seccomp=${quoteLiteral(`${input.planDirectory}/seccomp.json`)}`,
    `${image} ${before.map(quoteLiteral).join(' ')} "$@" >"$own/cid"`,
  ].join(' \\\n\t');
}

/** Run by the supervisor. Pure. */
export function renderRun(input: DockerScript): string {
  const { tools, helpers, planDirectory, variables } = input;
  const script = (name: string) => `${tools.sh} ${quoteLiteral(`${planDirectory}/${name}`)}`;
  return `#!/bin/sh
# Runs one container of docker's: made, moved into the run's own control groups while it waits, started, and ended with us.
set -eu
${takeVariables(variables)}
own=$run_dir/${ownFolder}
name=cofferdam-$id
: "$task" "$job"
${sayError}

${tools.mkdir} "$own"
${tools.mkfifo} -m 0600 "$own/alive"
${tools.mkfifo} -m 0644 "$own/gate"
# Names without commas or quotes for folders that may have any.
[ -z "$workspace" ] || ${tools.ln} -s -- "$workspace" "$own/workspace"
[ -z "$way_out" ] || ${tools.ln} -s -- "$way_out" "$own/way-out"

# Whoever kills us leaves the daemon running the container. The watch reads a pipe that only we can write to, and in a
# session of its own is not killed with us: at our end it ends whatever is in the groups, and removes the container.
exec 3<&0 </dev/null
exec 5<>"$own/alive"
exec 6<"$own/alive"
${tools.setsid} ${script('docker-watch')} "$name" ${leaves(input)} <&6 >/dev/null 2>&1 3<&- 5>&- 6<&- &
watch=$!
exec 6<&-

${renderCreate(input)} 3<&- 5>&- ||
	fail 'docker did not make the container; what it said stands above'
${tools.setpriv} --pdeathsig KILL ${script('docker-gate')} "$run_dir" "$id" >/dev/null 2>&1 3<&- 5>&- &
gate=$!
# On a terminal its client wants one, too: that is a pty of ours, of the host. It would leave the container at some keys: bytes that
# nobody types, as they are in no UTF-8.
set -- ${client(input)} start --attach --interactive
if [ -n "$terminal" ]; then
	pty=${quoteLiteral(`${helpers}/pty`)}
	set -- "$pty" connect "$run_dir" "$pty" open raw /dev/ptmx "$@" --detach-keys "$(printf '\\377,\\377,\\377,\\377')"
fi
${tools.setpriv} --pdeathsig KILL "$@" "$name" <&3 3<&- 5>&- &
client=$!
exec 3<&-
# Not through the client: it passes none on with some versions.
# shellcheck disable=SC2317 # the trap calls it
stop() {
	${client(input)} kill --signal TERM "$name" </dev/null >/dev/null 2>&1 5>&- &
}
trap stop TERM
${renderWait('client')}
kill "$gate" 2>/dev/null || :
empty=1
for leaf in ${leaves(input)}; do ! read -r _ <"$leaf/cgroup.procs" || empty=''; done
if [ -n "$empty" ] && [ -e "$own/admitted" ]; then
	echo ended >&5
	exit "$status"
fi
# The client ended and the container did not, or nobody knows whether it did: the watch sees to it.
exec 5>&-
wait "$watch" || :
[ -e "$own/admitted" ] || fail 'docker did not start the program; what it said stands above'
exit "$status"
`;
}
