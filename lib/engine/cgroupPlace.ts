// Owns where on a host the leaves of a user's runs stand: below a delegated unit, a plain folder, or v1's hierarchies.
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { runToolSync } from '../base/exec.ts';
import { readTextIfPresent } from '../base/files.ts';
import { type CgroupParents, type CgroupUnit, controllers, leafControllers, parseCgroupMounts } from './cgroup.ts';

/** What the place depends on. */
export interface CgroupHost {
  /** Text of /proc/self/mountinfo. */
  readonly mountinfo: string;
  /** Text of /proc/self/cgroup. */
  readonly membership: string;
  /** Whether systemd is the init: sd_booted(3). */
  readonly systemd: boolean;
  /** Whether the group at `path`, of the unit `name`, was given to `uid` by Delegate=. */
  isDelegated(name: string, path: string, uid: number): boolean;
}

/** Unit that holds the runs of callers who are in no delegated unit; systemd/cofferdam-runs.service. */
export const runsUnit = 'cofferdam-runs.service';
const runsGroup = `/cofferdam.slice/${runsUnit}`;

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// Root may write everywhere, so systemd is asked; anybody else was given these three files or was not (cgroup-v2.rst, "Delegation").
function isDelegated(name: string, path: string, uid: number): boolean {
  if (uid !== 0) return ['', 'cgroup.procs', 'cgroup.subtree_control'].every((file) => canWrite(join(path, file)));
  const shown = runToolSync('systemctl', ['show', '--property=Delegate', '--value', '--', name], { accept: [0, 1, 4] });
  return shown.stdout.trim() === 'yes';
}

export function readCgroupHost(): CgroupHost {
  return {
    mountinfo: readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '',
    membership: readTextIfPresent('/proc/self/cgroup') ?? '',
    systemd: existsSync('/run/systemd/system'),
    isDelegated,
  };
}

/** Path of the caller's group in the v2 hierarchy, from the text of /proc/self/cgroup (cgroups(7)). */
export function ownGroup(membership: string): string {
  const line = membership.split('\n').find((candidate) => candidate.startsWith('0::'));
  return line?.slice(3) ?? '/';
}

// Login sessions and what a user's systemd runs are systemd's alone to arrange, although the user may write there.
function findOwnUnit(host: CgroupHost, point: string, uid: number): { group: string; unit: CgroupUnit } | undefined {
  const parts = ownGroup(host.membership).split('/');
  const end = parts.findIndex((part) => /\.(service|scope)$/.test(part));
  const name = parts[end];
  const group = parts.slice(0, end + 1).join('/');
  if (name === undefined || name === runsUnit || parts[1] === 'user.slice' || name === 'init.scope') return undefined;
  if (!host.isDelegated(name, join(point, group), uid)) return undefined;
  return { group, unit: { kind: 'own', name, callers: [{ group, below: true }] } };
}

function placeRuns(host: CgroupHost, uid: number): { group: string; unit: CgroupUnit } {
  const name = runsUnit;
  const here = { group: ownGroup(host.membership), below: false };
  if (uid === 0) {
    return { group: runsGroup, unit: { kind: 'runs', name, callers: [{ group: '/user.slice', below: true }, here] } };
  }
  const slice = `/user.slice/user-${uid}.slice`;
  const callers = [{ group: slice, below: true }, here];
  return {
    group: `${slice}/user@${uid}.service${runsGroup}`,
    unit: { kind: 'runs', name, manager: `/run/user/${uid}/systemd/private`, callers },
  };
}

/** Where leaves of `uid` go on this host, existing or not. Throws HOST_UNPREPARED without the three controllers. */
export function locateCgroups(uid: number, host: CgroupHost = readCgroupHost()): CgroupParents {
  const { v1, v2 } = parseCgroupMounts(host.mountinfo);
  const missing = controllers.filter((controller) => !v1.has(controller));
  if (missing.length === 0) {
    const folders = leafControllers
      .filter((name) => v1.has(name))
      .map((name) => ({ controllers: [name], path: `${v1.get(name)}/cofferdam/${uid}` }));
    return { version: 1, folders };
  }
  if (v2 === undefined || missing.length < controllers.length) {
    throw new CofferdamError('HOST_UNPREPARED', `this host has no ${missing.join(', ')} cgroup controller`, {
      remedy: 'mount the cgroup controllers, or boot with cgroup v2; see: sandbox doctor',
    });
  }
  if (!host.systemd) return { version: 2, folders: [{ controllers, path: `${v2}/cofferdam/${uid}` }] };
  const { group, unit } = findOwnUnit(host, v2, uid) ?? placeRuns(host, uid);
  return { version: 2, folders: [{ controllers, path: join(v2, group) }], unit };
}

/** The same, or undefined on a host without the controllers: only a best effort runs there. */
export function findCgroups(uid: number): CgroupParents | undefined {
  try {
    return locateCgroups(uid);
  } catch (error) {
    if (error instanceof CofferdamError && error.code === 'HOST_UNPREPARED') return undefined;
    throw error;
  }
}
