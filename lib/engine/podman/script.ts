// Owns the two scripts that run podman: one outside, which passes signals on and judges the start, and one that is the
// first process of the run's own user, mount and pid namespaces.
import { renderFlags } from '../flags/render.ts';
import { type LaunchVariable, quoteLiteral, renderWait, renderWord } from '../words.ts';
import type { Lowered } from './lower.ts';

/** The file of the plan that podman runs in the place of crun, where the program gets a terminal. */
export const terminalRuntime = 'podman-runtime';

export interface ScriptInput {
  /** Absolute paths. */
  readonly tools: Readonly<
    Record<
      'podman' | 'crun' | 'conmon' | 'sh' | 'unshare' | 'setpriv' | 'mount' | 'findmnt' | 'mkdir' | 'ln' | 'id',
      string
    >
  >;
  readonly planDirectory: string;
  /** What the launcher passes, in this order, before the program's arguments. */
  readonly variables: readonly LaunchVariable[];
}

function takeVariables(variables: readonly LaunchVariable[]): string {
  return [...variables.map((name, i) => `${name}=\${${i + 1}}`), `shift ${variables.length}`].join('\n');
}

/** Run by the supervisor. Pure. */
export function renderOutside({ tools, planDirectory, variables }: ScriptInput): string {
  const position = variables.indexOf('run_dir') + 1;
  return `#!/bin/sh
# Starts podman-inside in namespaces of its own. podman leaves its monitor and the sandbox behind when it is killed; here
# the kernel ends them all with the first process, which ends with us (pid_namespaces(7), PR_SET_PDEATHSIG).
set -eu
run_dir=$${position}
${tools.mkdir} "$run_dir/podman" "$run_dir/started"
map='--user --map-root-user --map-auto'
# A shell gives its background commands /dev/null before it looks at their redirections.
exec 3<&0
[ "$(${tools.id} -u)" -ne 0 ] || map=''
# shellcheck disable=SC2086 # $map is a list of fixed words
${tools.setpriv} --pdeathsig KILL ${tools.unshare} $map --mount --propagation private \\
	--pid --fork --kill-child=SIGKILL --mount-proc ${tools.sh} ${quoteLiteral(`${planDirectory}/podman-inside`)} "\${map:-none}" "$@" <&3 3<&- &
child=$!
# unshare ignores TERM while it waits: the whole process group gets it, and podman hands it to the program.
trap 'trap "" TERM; kill -TERM 0' TERM
${renderWait('child')}
# podman's own failures have the statuses of programs that were not found; without this file no program was started.
[ -s "$run_dir/started/pid" ] ||
	printf '%s\\n' '{"level":"error","msg":"podman did not start it; what it said stands above"}' >>"$run_dir/log"
exit "$status"
`;
}

function translateIds(variables: readonly LaunchVariable[]): string[] {
  const ids = variables.filter((name) => name.endsWith('_uid') || name.endsWith('_gid'));
  return ids.map((name) => `\ttranslate ${name.slice(-3)} "$${name}" && ${name}=$translated`);
}

function prepareMount({ type, source, options }: Lowered['prepared'][number], at: number): string {
  const command = type === 'tmpfs' ? 'make_tmpfs' : 'make_bind';
  const first = type === 'tmpfs' ? '' : ` ${renderWord(source)}`;
  return `${command} ${at}${first} ${renderWord(options)}`;
}

function renderRun(input: ScriptInput & Lowered): string {
  const { tools, targets, flags, boundsProcesses } = input;
  const below = (name: string) => `"$short/${name}"`;
  const mounts = targets.map((target, at) => `--mount type=bind,src="$short/mounts/${at}",${quoteLiteral(target)}`);
  const lines = [
    `exec ${tools.podman} --root ${below('store')} --runroot ${below('state')} --tmpdir ${below('tmp')}`,
    `--default-mounts-file /dev/null --log-level error --runtime "$runtime" --runtime-flag root=${below('crun')}`,
    'run --rm --interactive --pull never --cgroups=disabled --sdnotify ignore --systemd=false --passwd=false --no-hosts',
    `--image-volume ignore --unsetenv HOSTNAME --name "cofferdam-$id" --label "cofferdam.run=$id" --pidfile ${below('started/pid')}`,
    `--security-opt seccomp=${below('plan/seccomp.json')}`,
    ...(boundsProcesses ? [] : ['--ulimit "nproc=$processes:$processes"']),
    ...renderFlags(flags),
    ...mounts,
    `--rootfs ${below('rootfs')} "$@"`,
  ];
  return lines.join(' \\\n\t');
}

/** Run as the first process of the namespaces. Pure. */
export function renderInside(input: ScriptInput & Lowered): string {
  const { tools, planDirectory, variables, prepared, rootfs, boundsProcesses } = input;
  return `#!/bin/sh
# Prepares mounts that podman's flags cannot describe (inodes, owners, flags of writable binds), then becomes podman.
set -eu
namespace=$1
shift
${takeVariables(variables)}
own=$run_dir/podman
short=/tmp
: "$task" "$job" "$workspace" "$way_out"

fail() {
	printf 'sandbox: %s\\n' "$1" >&2
	exit 125
}

# translate uid|gid ID: the number of a host id in this user namespace. The file: inside, outside, count.
translate() {
	while read -r inside outside count; do
		if [ "$2" -ge "$outside" ] && [ "$2" -lt $((outside + count)) ]; then
			translated=$((inside + $2 - outside))
			return
		fi
	done <"/proc/self/$1_map"
	fail "podman cannot map the host $1 $2: it is neither the caller's nor one of its subordinate ids"
}
if [ "$namespace" != none ]; then
${translateIds(variables).join('\n')}
fi

make_tmpfs() {
	${tools.mkdir} "$own/mounts/$1"
	${tools.mount} -t tmpfs -o "$2" tmpfs "$own/mounts/$1"
}

# Flags are set here because crun 1.8.1 leaves them out of writable binds. Those of the source stay: in a user
# namespace they are locked, and less is refused (mount_namespaces(7)).
bind() {
	${tools.mount} --bind "$1" "$2"
	flags=$(${tools.findmnt} -n -o VFS-OPTIONS --mountpoint "$2")
	${tools.mount} -o "remount,bind,$flags,$3" "$2"
}

make_bind() {
	if [ -d "$2" ]; then ${tools.mkdir} "$own/mounts/$1"; else : >"$own/mounts/$1"; fi
	bind "$2" "$own/mounts/$1" "$3"
}

# What podman writes lies on a tmpfs that ends with these namespaces.
${tools.mount} -t tmpfs -o size=32m,nr_inodes=4096,mode=0711 podman "$own"
${tools.mkdir} "$own/mounts" "$own/rootfs" "$own/plan" "$own/started" "$own/link" "$own/link/etc"
cd "$own"
# podman writes /etc/mtab into an image that has none. Images are read-only, also to podman, so it finds one above them.
${tools.ln} -s ../proc/self/mounts "$own/link/etc/mtab"
${tools.mount} -t overlay -o ro,nosuid,nodev,lowerdir=link:${quoteLiteral(rootfs)} podman "$own/rootfs"
bind ${quoteLiteral(planDirectory)} "$own/plan" ro
${tools.mount} --bind "$run_dir/started" "$own/started"
${prepared.map(prepareMount).join('\n')}
runtime=${tools.crun}
if [ -n "$terminal" ]; then
	runtime=${terminalRuntime}
	: >"$own/tty"
	${tools.mount} --bind "$run_dir/tty" "$own/tty"
fi
${boundsProcesses ? '' : readProcesses}
# podman takes no path of more than 50 characters for its state, and root inside must pass all its folders. The current
# folder may lie below what this hides.
cd /
${tools.mount} --rbind "$own" "$short"
export HOME="$short" CONTAINERS_CONF="$short/plan/containers.conf" CONTAINERS_STORAGE_CONF="$short/plan/storage.conf"
${renderRun(input)}
`;
}

// Without a number podman asks for a million processes, which only a privileged caller may have.
const readProcesses = `while read -r _ name _ hard _; do
	[ "$name" != processes ] || processes=$hard
done </proc/self/limits
[ "$processes" != unlimited ] || processes=-1
`;
