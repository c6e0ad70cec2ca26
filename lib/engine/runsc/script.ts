// Owns the two scripts that run runsc: one outside, which maps ids and passes signals on, and one that is the first process
// of namespaces around runsc, whose end is the end of sentry, gofer and every stub.
import { dirname } from 'node:path';
import { type LaunchVariable, quoteLiteral, renderWait } from '../words.ts';
import { toolsPlace } from './adapt.ts';

type Tool =
  | 'runsc'
  | 'sh'
  | 'unshare'
  | 'setpriv'
  | 'mount'
  | 'mkfifo'
  | 'mkdir'
  | 'chmod'
  | 'cat'
  | 'base64'
  | 'id'
  | 'newuidmap'
  | 'newgidmap';

export interface ScriptInput {
  /** Absolute paths. */
  readonly tools: Readonly<Record<Tool, string>>;
  readonly planDirectory: string;
  /** Folder of our native helpers. */
  readonly helpers: string;
  /** struct sock_filter[] as base64: what executions load (lib/run/native/within). */
  readonly filter: string;
  readonly platform: string;
  /** Flags of runsc that this version knows, beside those that all know. */
  readonly flags: readonly string[];
  /** Whether the sandbox may connect to unix sockets in the folders of the host that it sees; it never makes one there. */
  readonly connects: boolean;
  /** The program's ids inside. */
  readonly user: { readonly uid: number; readonly gid: number };
}

/** What the launcher passes, in this order. */
export const passed: readonly LaunchVariable[] = [
  'run_dir',
  'id',
  'root_uid',
  'root_gid',
  'program_uid',
  'program_gid',
];

/** Where the pty of an execution comes from: devpts and helper are of the run's own namespaces. */
export const ptyPlace = { helper: '/sys/fs/cgroup/pty', ptmx: '/sys/fs/cgroup/terminals/ptmx' } as const;

/** Who the sentry is, in the namespaces around it. */
const nobody = 65534;

/**
 * For a plain user root in there is the caller; the sentry then gets the id of the slot that nobody has. Elsewhere, and where
 * the program is nobody itself, runsc makes the sentry the same as root in there (its flag "rootless").
 */
function mapSentry({ uid, gid }: ScriptInput['user']): string {
  if (uid === nobody || gid === nobody) return 'rootless=true';
  return `rootless=true
if [ "$root_uid" -eq "$caller" ]; then
	rootless=false uids="$uids ${nobody} $((program_uid - 1)) 1" gids="$gids ${nobody} $((program_gid - 1)) 1"
fi`;
}

/** Run by the supervisor. Pure. */
export function renderOutside({ tools, planDirectory, helpers, user }: ScriptInput): string {
  return `#!/bin/sh
# Starts runsc-inside in namespaces of its own, where root is never root of the host. runsc leaves sentry and gofer behind when
# it is killed; here the kernel ends them all with the first process, which ends with us (pid_namespaces(7)).
set -eu
${passed.map((name, i) => `${name}=$${i + 1}`).join(' ')}
inside=$(${tools.cat} ${quoteLiteral(`${planDirectory}/runsc-inside`)})
${tools.mkfifo} "$run_dir/unshared" "$run_dir/mapped"
# A shell gives its background commands /dev/null before it looks at their redirections. The files are opened here because
# nobody inside may pass the folders of the host's root.
exec 3<&0 4<${quoteLiteral(helpers)} 5>>"$run_dir/log" 6<"$run_dir/config.json" 8<>"$run_dir/mapped" 9>"$run_dir/started"
# Without this file no program was started, and no status is one.
# shellcheck disable=SC2317 # called by the trap
finish() {
	[ -s "$run_dir/started" ] || printf '%s\\n' '{"level":"error","msg":"gVisor was not started; what was said stands above"}' >&5
}
trap finish EXIT
caller=$(${tools.id} -u)
uids="0 $root_uid 1 ${user.uid} $program_uid 1" gids="0 $root_gid 1 ${user.gid} $program_gid 1"
${mapSentry(user)}
first=''
trap '[ -z "$first" ] || kill -TERM "$first" 2>/dev/null || :' TERM
# A network of its own for runsc, too: its control socket has no folder, and whoever is in the same network can reach it.
# Set again at the end, because the kernel takes it off a process that gets another uid (PR_SET_PDEATHSIG).
# shellcheck disable=SC2016 # read by the shell inside
${tools.setpriv} --pdeathsig KILL ${tools.unshare} --user --keep-caps --mount --propagation private --pid --net --ipc --uts --cgroup \\
	--fork --kill-child=SIGKILL ${tools.sh} -c '
		read -r pid _ </proc/self/stat
		echo "$pid" >&7
		read -r _ <&8
		exec "$@" 7>&- 8<&-
	' sh ${tools.setpriv} --reuid 0 --regid 0 --clear-groups --inh-caps -all --ambient-caps -all --no-new-privs --pdeathsig KILL \\
	${tools.sh} -c "$inside" runsc-inside "$id" "$rootless" <&3 3<&- 7>"$run_dir/unshared" &
child=$!
exec 3<&- 4<&- 6<&-
read -r first <"$run_dir/unshared"
# Who enters later compares the start time, field 22 (proc(5)): a pid may be another process's by then.
read -r stat <"/proc/$first/stat"
# shellcheck disable=SC2086 # numbers and one letter
set -- \${stat##*) }
shift 19
printf '%s %s\\n' "$first" "$1" >"$run_dir/first"
# shellcheck disable=SC2086 # lists of numbers
if [ "$caller" -eq 0 ]; then
	printf '%s %s %s\\n' $uids >"/proc/$first/uid_map"
	printf '%s %s %s\\n' $gids >"/proc/$first/gid_map"
else
	${tools.newuidmap} "$first" $uids
	${tools.newgidmap} "$first" $gids
fi
echo >&8
${renderWait('child')}
exit "$status"
`;
}

/** How the first process starts the sandbox. */
export interface Start {
  /** Shell text: what is made ready, where nothing of the host is open any more but log and streams. */
  readonly before: string;
  /** Shell text: a command over one or more lines, without its streams. */
  readonly command: string;
  /** Shell text that looks at `status`, the command's. */
  readonly after: string;
}

/** runsc with what all its commands need, where `own` and `rootless` are set. */
export function runscWords({ tools, platform, flags }: Pick<ScriptInput, 'tools' | 'platform' | 'flags'>): string {
  return [
    `${tools.runsc} --root "$own/state" --rootless="$rootless" --platform ${quoteLiteral(platform)}`,
    ...flags.map(quoteLiteral),
  ].join(' ');
}

/** Flags that say what a sandbox may do: of the command that makes one. */
export function boundaryFlags({ connects }: Pick<ScriptInput, 'connects'>): string {
  return `--network none --oci-seccomp --overlay2 none --host-uds ${connects ? 'open' : 'none'} --host-fifo none --ignore-cgroups`;
}

/** runsc as it is: whose end is the sandbox's. */
function startItself(input: ScriptInput): Start {
  return {
    before: '',
    command: `${runscWords(input)} \\
	${boundaryFlags(input)} --log-fd 5 --log-format json \\
	--panic-log "$own/panic" run --bundle "$own" "$id"`,
    after: '',
  };
}

/** Run as the first process of the namespaces. Pure. */
export function renderInside(input: ScriptInput, start: Start = startItself(input)): string {
  const { tools, filter, connects } = input;
  return `#!/bin/sh
# Becomes the root that runsc is run by, with a bundle and a state that end with these namespaces.
set -eu
id=$1 rootless=$2
# Nothing in here has a use for the host's control groups.
own=/sys/fs/cgroup
${tools.mount} -t tmpfs -o nosuid,nodev,size=8m,nr_inodes=256,mode=0700 runsc "$own"
${tools.cat} <&6 >"$own/config.json"
# What stands beside the program inside (adapt.ts). Copies, because the gofer passes no folder of the host's root either.
tools=${toolsPlace}
${tools.mkdir} "$tools"
for name in init within; do
	${tools.cat} "/proc/self/fd/4/$name" >"$tools/$name"
	${tools.chmod} 0555 "$tools/$name"
done
${tools.cat} /proc/self/fd/4/pty >${ptyPlace.helper}
${tools.chmod} 0555 ${ptyPlace.helper}
${tools.mkdir} ${dirname(ptyPlace.ptmx)}
# Terminals of executions: of these namespaces, and not of the host.
${tools.mount} -t devpts -o newinstance,nosuid,noexec,ptmxmode=0600,mode=0600 devpts ${dirname(ptyPlace.ptmx)}
printf %s ${filter} | ${tools.base64} -d >"$tools/filter"
${tools.chmod} 0444 "$tools/filter"
${tools.mount} -t proc -o nosuid,nodev,noexec proc /proc
# shellcheck disable=SC2317 # called by the trap
runsc() {
	${runscWords(input)} "$@"
}
# Without a terminal runsc passes no signal on: our init hands it to the program.
trap 'runsc kill "$id" TERM >/dev/null 2>&1 || :' TERM
exec 3<&0 4<&- 6<&-
${start.before}echo >&9
exec 9>&-
# Its network is none but lo, ${connects ? 'host sockets are those that it finds in its mounts, fifos none' : 'its host sockets and fifos are none'}, and the filter of the spec is loaded.
${start.command} <&3 3<&- &
child=$!
exec 3<&-
${renderWait('child')}
# Else its status would look like the program's own. A thread that it cannot have is the end of a sentry.
if [ -s "$own/panic" ]; then
	printf '%s\\n' '{"level":"error","msg":"gVisor'"'"'s kernel broke down, as it does when limits.pids leaves it no thread: give it more, such as --pids 512"}' >&5
	status=125
fi
${start.after}exit "$status"
`;
}
