// Owns what the doctor says about control groups: version, place, parents, swap, moves.
import { accessSync, constants, existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { boundsRuns, type CgroupParents, controllers, parentOf, parseCgroupMounts } from '../cgroup.ts';
import { locateCgroups, ownGroup, readCgroupHost } from '../cgroupPlace.ts';
import { favoursMoves, strayControllers } from '../setup/cgroupSteps.ts';
import { runsUnitFiles } from '../setup/runsUnitStep.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, setupCommandFor, warn } from './check.ts';

/**
 * In v2 a process may be moved only by one who may write to cgroup.procs of the lowest group above both places
 * (cgroup-v2, "Delegation Containment"). Its path below the mount point.
 */
export function commonGroup(a: string, b: string): string {
  const [left, right] = [a, b].map((path) => path.split('/').filter((part) => part !== ''));
  const shared = (left ?? []).slice(0, (left ?? []).findIndex((part, i) => part !== right?.[i]) >>> 0);
  return `/${shared.join('/')}`;
}

function canWrite(path: string, mode = constants.W_OK | constants.X_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function checkParents({ folders, unit }: CgroupParents, input: DoctorInput): Finding {
  const id = 'cgroups.parents';
  const needed = folders.filter(boundsRuns).map(({ path }) => path);
  const bad = needed.filter((path) => !canWrite(path));
  const all = needed.join(' ');
  if (bad.length === 0) return ok(id, all);
  // Root makes its own at the next run, and whoever has a systemd starts the unit.
  const later = unit === undefined ? input.uid === 0 : runsUnitFiles.every((file) => existsSync(file));
  return later
    ? ok(id, `${all}: made at the next run`)
    : fail(id, `missing or not ours: ${bad.join(' ')}`, setupCommandFor(input));
}

function checkFreezer(parents: CgroupParents, input: DoctorInput): Finding[] {
  const id = 'cgroups.freezer';
  const path = parentOf(parents, 'freezer');
  if (parents.version === 2 || (path !== undefined && (canWrite(path) || input.uid === 0)))
    return [ok(id, 'sandbox pause')];
  return [warn(id, 'no freezer group of ours: sandbox pause is refused', setupCommandFor(input))];
}

function checkUnit({ unit }: CgroupParents, { uid, user }: DoctorInput): Finding[] {
  if (unit === undefined) return [];
  if (unit.kind === 'own') return [ok('cgroups.unit', `${unit.name}, which was delegated to us`)];
  if (unit.manager === undefined) return [ok('cgroups.unit', unit.name)];
  const runs = existsSync(unit.manager) && statSync(unit.manager).uid === uid;
  if (!runs) {
    const remedy = `log in, or as root: loginctl enable-linger ${user}`;
    return [
      fail('cgroups.unit', 'no systemd of this user is running, and only it may hold the runs of a session', remedy),
    ];
  }
  return [ok('cgroups.unit', `${unit.name} of this user's systemd`)];
}

// A user's systemd can hand down only what it was given itself.
function checkDelegation({ unit, folders: [folder] }: CgroupParents, input: DoctorInput): Finding[] {
  if (unit?.kind !== 'runs' || folder === undefined) return [];
  const given = join(folder.path, '..', '..', 'cgroup.controllers');
  const names = (readTextIfPresent(given) ?? '').trim().split(' ');
  const lacks = controllers.filter((name) => !names.includes(name));
  if (!existsSync(given)) return [];
  return lacks.length === 0
    ? [ok('cgroups.delegation', controllers.join(' '))]
    : [fail('cgroups.delegation', `not handed down to us: ${lacks.join(' ')}`, setupCommandFor(input))];
}

function checkMoving({ folders: [folder], unit }: CgroupParents, input: DoctorInput, point: string): Finding[] {
  if (input.uid === 0 || folder === undefined || unit?.manager !== undefined) return [];
  const membership = readTextIfPresent('/proc/self/cgroup') ?? '';
  const common = commonGroup(ownGroup(membership), folder.path.slice(point.length));
  if (canWrite(join(point, common, 'cgroup.procs'), constants.W_OK)) {
    return [ok('cgroups.move', `processes may be moved below ${common}`)];
  }
  const remedy = 'run as root, or from a service with Delegate=cpu memory pids';
  return [fail('cgroups.move', `processes of this session cannot be moved into ${folder.path} (cgroup v2)`, remedy)];
}

function tryLeaf({ folders }: CgroupParents): Finding[] {
  const leaf = `doctor.${process.pid}`;
  const made = folders.map(({ path }) => join(path, leaf)).filter((path) => canWrite(join(path, '..')));
  try {
    for (const path of made) mkdirSync(path);
    return made.length === 0 ? [] : [ok('cgroups.leaf', 'a leaf was made and removed')];
  } catch (cause) {
    return [fail('cgroups.leaf', messageOf(cause), 'as root: sandbox setup')];
  } finally {
    for (const path of made) if (existsSync(path)) rmdirSync(path);
  }
}

function checkSwap(version: 1 | 2, mounts: ReturnType<typeof parseCgroupMounts>): Finding {
  const id = 'cgroups.swap';
  const memory = version === 1 ? mounts.v1.get('memory') : join(mounts.v2 ?? '', 'init.scope');
  const file = version === 1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max';
  if (existsSync(join(memory ?? '', file))) return ok(id, 'memory and swap are bounded together');
  const swaps = (readTextIfPresent('/proc/swaps') ?? '').trim().split('\n').length - 1;
  return swaps === 0
    ? ok(id, 'this host has no swap')
    : fail(
        id,
        'this host swaps, and swap is not accounted: memory cannot be bounded',
        'boot with swapaccount=1, or without swap',
      );
}

function checkHost(mountinfo: string, input: DoctorInput): Finding[] {
  const { v2 } = parseCgroupMounts(mountinfo);
  const onV2 = v2 === undefined ? '' : (readTextIfPresent(join(v2, 'cgroup.controllers')) ?? '');
  const stray = strayControllers(mountinfo, onV2);
  const fast = favoursMoves(mountinfo);
  return [
    stray.length === 0
      ? ok('cgroups.stray', 'no controller stands alone on cgroup2')
      : fail(
          'cgroups.stray',
          `${stray.join(', ')} on cgroup2, the others on v1: crun 1.8 refuses such hosts`,
          setupCommandFor(input),
        ),
    fast === false
      ? warn('cgroups.moves', 'the first move after a pause waits 5 to 20 ms (no favordynmods)', setupCommandFor(input))
      : ok('cgroups.moves', fast === undefined ? 'no cgroup2 mount' : 'favordynmods'),
  ];
}

export const checkCgroups: Check = async (input) => {
  try {
    const host = readCgroupHost();
    const parents = locateCgroups(input.uid, host);
    const mounts = parseCgroupMounts(host.mountinfo);
    return [
      ok('cgroups.version', `v${parents.version}, with memory, pids and cpu`),
      ...checkUnit(parents, input),
      ...checkDelegation(parents, input),
      checkParents(parents, input),
      ...checkFreezer(parents, input),
      ...tryLeaf(parents),
      ...(parents.version === 2 ? checkMoving(parents, input, mounts.v2 ?? '') : []),
      checkSwap(parents.version, mounts),
      ...checkHost(host.mountinfo, input),
    ];
  } catch (cause) {
    return [fail('cgroups.version', messageOf(cause), 'boot with the memory, pids and cpu controllers')];
  }
};
