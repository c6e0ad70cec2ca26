// Owns what the doctor says about control groups: version, parents, swap, moves.
import { accessSync, constants, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { type CgroupParents, parseCgroupMounts } from '../cgroup.ts';
import { locateCgroups } from '../cgroupPlace.ts';
import { favoursMoves, strayControllers } from '../setup/cgroupSteps.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, setupCommandFor, warn } from './check.ts';

/** Path of the caller's group in the v2 hierarchy, from the text of /proc/self/cgroup (cgroups(7)). */
export function ownGroup(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.startsWith('0::'))
      ?.slice(3) ?? '/'
  );
}

/**
 * In v2 a process may be moved only by one who may write to cgroup.procs of the lowest group above both places
 * (cgroup-v2, "Delegation Containment"). Its path below the mount point.
 */
export function commonGroup(a: string, b: string): string {
  const [left, right] = [a, b].map((path) => path.split('/').filter((part) => part !== ''));
  const shared = (left ?? []).slice(0, (left ?? []).findIndex((part, i) => part !== right?.[i]) >>> 0);
  return `/${shared.join('/')}`;
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkParents({ folders }: CgroupParents, input: DoctorInput): Finding {
  const id = 'cgroups.parents';
  const bad = folders.filter(({ path }) => !existsSync(path) || !canWrite(path)).map(({ path }) => path);
  const all = folders.map(({ path }) => path).join(' ');
  // Root makes its own at the next run.
  if (bad.length > 0 && input.uid !== 0)
    return fail(id, `missing or not ours: ${bad.join(' ')}`, setupCommandFor(input));
  return ok(id, bad.length === 0 ? all : `${all}: made at the next run`);
}

function checkMoving({ folders }: CgroupParents, input: DoctorInput, point: string): Finding[] {
  const [folder] = folders;
  if (input.uid === 0 || folder === undefined) return [];
  const common = commonGroup(ownGroup(readTextIfPresent('/proc/self/cgroup') ?? ''), folder.path.slice(point.length));
  try {
    accessSync(join(point, common, 'cgroup.procs'), constants.W_OK);
    return [ok('cgroups.move', `processes may be moved below ${common}`)];
  } catch {
    const remedy = 'run as root, or from a service with Delegate=yes';
    return [fail('cgroups.move', `processes of this session cannot be moved into ${folder.path} (cgroup v2)`, remedy)];
  }
}

function tryLeaf({ folders }: CgroupParents): Finding[] {
  const leaf = `doctor-${process.pid}`;
  const made = folders.map(({ path }) => join(path, leaf)).filter((path) => existsSync(join(path, '..')));
  try {
    for (const path of made) mkdirSync(path);
    return made.length === 0 ? [] : [ok('cgroups.leaf', 'a leaf was made and removed')];
  } catch (cause) {
    return [fail('cgroups.leaf', messageOf(cause), 'as root: sandbox setup')];
  } finally {
    for (const path of made) if (existsSync(path)) rmdirSync(path);
  }
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
  const mountinfo = readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '';
  try {
    const parents = locateCgroups(input.uid, mountinfo);
    const point = parseCgroupMounts(mountinfo).v2 ?? '';
    return [
      ok('cgroups.version', `v${parents.version}, with memory, pids and cpu`),
      checkParents(parents, input),
      ...tryLeaf(parents),
      ...(parents.version === 2 ? checkMoving(parents, input, point) : []),
      parents.swap
        ? ok('cgroups.swap', 'memory and swap are bounded together')
        : warn(
            'cgroups.swap',
            'swap is not accounted: a run may swap beyond its memory',
            'boot with swapaccount=1, or without swap',
          ),
      ...checkHost(mountinfo, input),
    ];
  } catch (cause) {
    return [fail('cgroups.version', messageOf(cause), 'boot with the memory, pids and cpu controllers')];
  }
};
