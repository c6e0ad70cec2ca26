// Owns a plain user's own containerd: where rootlesskit keeps it, whether it is theirs alone, and the way into its namespaces.
import { lstatSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import type { HostIds, SubidRange } from '../../spec/uidmap.ts';
import { engineCannot } from '../matrix.ts';
import type { EngineSettings } from '../types.ts';
import { quoteLiteral } from '../words.ts';

type Settings = EngineSettings['nerdctl'];

/** A containerd in user and mount namespaces that rootlesskit made for one user. */
export interface Kit {
  /** Its first process inside; host pid. */
  readonly pid: number;
}

const pidFile = 'child_pid';

/** Folder in which rootlesskit says where it is. */
function stateFolder({ rootlesskit }: Settings, uid: number): string {
  return rootlesskit.replaceAll('%U', String(uid));
}

/** The settings of `uid`: a plain user's records are beside what rootlesskit keeps. */
export function settingsOf(settings: Settings, uid: number): Settings {
  return uid === 0 ? settings : { ...settings, dataRoot: join(stateFolder(settings, uid), 'cofferdam') };
}

/** What the map of such a namespace begins with, a line each: the caller is 0, its subordinate ids come after. */
function wantedMap(caller: number, { start, count }: SubidRange): string {
  return `0 ${caller} 1 1 ${start} ${count} `;
}

function beginsWith(text: string, wanted: string): boolean {
  return `${text.trim().split(/\s+/).join(' ')} `.startsWith(wanted);
}

function cannot(why: string): CofferdamError {
  return engineCannot('nerdctl', 'the boundary', why, ['crun', 'podman']);
}

/** Throws ENGINE_CANNOT when somebody else may write to what we are about to trust. */
function checkOwner(what: string, { uid, mode }: Stats, caller: number): void {
  if (uid !== caller || (mode & 0o002) !== 0) throw cannot(`${what} is not the caller's alone`);
}

function checkNamespaces(pid: number, { callerUid, callerGid, subuids, subgids }: HostIds): void {
  const own = (name: string) => readlinkSync(`/proc/self/ns/${name}`);
  const its = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`);
  if (its('user') === own('user'))
    throw cannot(`the process ${pid}, which rootlesskit names, is in no namespace of its own`);
  // Control groups and processes go by the names that the host gives them.
  for (const name of ['pid', 'cgroup'])
    if (its(name) !== own(name)) throw cannot(`rootlesskit gave containerd a ${name} namespace of its own`);
  const map = (kind: string) => readFileSync(`/proc/${pid}/${kind}_map`, 'utf8');
  if (!beginsWith(map('uid'), wantedMap(callerUid, subuids)) || !beginsWith(map('gid'), wantedMap(callerGid, subgids)))
    throw cannot('rootlesskit did not map the ids of sandboxes: the first subordinate range must be the largest');
}

/** The caller's own containerd. Throws ENGINE_MISSING when there is none, ENGINE_CANNOT when it is not as it must be. */
export function findKit(settings: Settings, ids: HostIds): Kit {
  const folder = stateFolder(settings, ids.callerUid);
  const pid = Number(readTextIfPresent(join(folder, pidFile)) ?? '');
  const missing = (cause?: unknown) =>
    new CofferdamError('ENGINE_MISSING', `no containerd of yours is running: ${folder} names none`, {
      remedy: 'start it: containerd-rootless-setuptool.sh install; or use --engine crun',
      ...(cause === undefined ? {} : { cause }),
    });
  if (!Number.isInteger(pid) || pid < 2) throw missing();
  try {
    checkOwner(folder, lstatSync(folder), ids.callerUid);
    checkOwner(`the process ${pid}`, statSync(`/proc/${pid}/ns`), ids.callerUid);
    checkNamespaces(pid, ids);
    // What lies below /run differs from there.
    checkOwner(settings.socket, statSync(`/proc/${pid}/root${settings.socket}`), ids.callerUid);
  } catch (cause) {
    if (cause instanceof CofferdamError) throw cause;
    throw missing(messageOf(cause));
  }
  return { pid };
}

/** Words before a command that has to run inside. */
export function enterWords(nsenter: string, { pid }: Kit): string[] {
  return [nsenter, `--user=/proc/${pid}/ns/user`, `--mount=/proc/${pid}/ns/mnt`, '--preserve-credentials', '--'];
}

export interface EnterScript {
  /** Absolute paths. */
  readonly tools: { readonly nsenter: string; readonly unshare: string };
  readonly settings: Settings;
  readonly callerUid: number;
}

/** Reads the pid, whichever process it is by now. */
function readPid(settings: Settings, callerUid: number): string {
  const file = join(stateFolder(settings, callerUid), pidFile);
  return `kit=''
read -r kit <${quoteLiteral(file)} || :
case $kit in '' | *[!0-9]*) fail 'no containerd of yours is running' ;; esac`;
}

/** Goes where containerd has power over what is made: `enter LOG COMMAND…`; without a LOG a failure is told to Node. Pure. */
export function renderEnter({ tools, settings, callerUid }: EnterScript): string {
  return `#!/bin/sh
# Becomes the command in the user namespace of the caller's own containerd, and in a mount namespace that containerd's children may
# enter: the host as the caller sees it, and not as rootlesskit changed it.
set -eu
log=$1
shift
say() {
	if [ -n "$log" ]; then
		printf '{"level":"error","msg":"%s"}\\n' "$1" >"$log"
	else
		printf 'fail\\tENGINE_MISSING\\t%s\\t%s\\n' "$1" 'see: sandbox doctor' >&3
	fi
}
fail() {
	say "$1"
	exit 125
}
${readPid(settings, callerUid)}
# It stands until the command takes it back: nobody else knows that the namespace could not be had.
[ -z "$log" ] || say 'the namespaces of your containerd cannot be entered'
exec ${tools.nsenter} --user="/proc/$kit/ns/user" --preserve-credentials -- ${tools.unshare} --mount --propagation slave -- "$@"
`;
}

/** Lines of a script that was brought there: it is in the right place, and asks nobody else's containerd. They take LOG back. */
export function renderFind(settings: Settings, { callerUid, callerGid, subuids, subgids }: HostIds): string {
  return `: >"$run_dir/log"
${readPid(settings, callerUid)}
# shellcheck disable=SC3013 # every sh of a Debian host has it
[ "/proc/$kit/ns/user" -ef /proc/self/ns/user ] || fail 'your containerd was started anew meanwhile'
# check_map KIND BEGINNING: ids were counted as those of this namespace (proc(5), uid_map).
check_map() {
	seen=''
	while read -r inside outside count; do seen="$seen$inside $outside $count "; done <"/proc/self/$1_map"
	case $seen in "$2"*) ;; *) fail "the namespace of your containerd maps other $1s" ;; esac
}
check_map uid '${wantedMap(callerUid, subuids)}'
check_map gid '${wantedMap(callerGid, subgids)}'
socket=/proc/$kit/root${quoteLiteral(settings.socket)}
# shellcheck disable=SC3067 # the same
{ [ -S "$socket" ] && [ -O "$socket" ]; } || fail 'the socket of your containerd is missing, or not yours'
`;
}
