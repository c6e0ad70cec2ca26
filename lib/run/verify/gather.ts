// Owns putting together what is seen of a waiting probe from outside. The probe sleeps, so that nothing moves meanwhile.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { type Controller, leafWrites, parseCgroupMounts } from '../../engine/cgroup.ts';
import type { AroundGuest, Evidence, Expected, Facts } from './evidence.ts';
import { digestProgram, readFacts, readGuestFacts } from './facts.ts';
import { fourIds, namespaceIds, parseCgroups } from './procfs.ts';

function readSoft(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

function readSoftLink(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Pids in a control group, as the host numbers them; none where it is not there. */
export function membersOf(leaf: string): number[] {
  return (readSoft(join(leaf, 'cgroup.procs')) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

// Everything in the sandbox's own pid namespace: the runtime around it is one level higher.
function insiders(pids: readonly number[], program: Facts): { facts: Facts; pid: number }[] {
  const namespace = namespaceIds(program, 'NSpid').length;
  return pids
    .map((pid) => ({ pid, facts: readFacts(pid) }))
    .filter(({ facts }) => {
      try {
        return namespaceIds(facts, 'NSpid').length === namespace;
      } catch {
        return false;
      }
    });
}

function strangersOf(program: Facts, pids: readonly number[]): number[] {
  const [, uid] = fourIds(program, 'Uid');
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && !pids.includes(Number(name)))
    .filter((name) => {
      const line = readSoft(`/proc/${name}/status`)?.match(/^Uid:\s+([0-9]+)\s+([0-9]+)/m);
      return line?.[1] === String(uid) || line?.[2] === String(uid);
    })
    .map(Number);
}

/** The folder of the program's group for a controller; undefined where there is none. */
type FindGroup = (controller: Controller) => string | undefined;

function openGroups({ cgroupVersion }: Expected, program: Facts): FindGroup {
  const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const groups = parseCgroups(program.text('cgroup'));
  return (controller) => {
    const mount = cgroupVersion === 2 ? mounts.v2 : mounts.v1.get(controller);
    const group = groups.get(cgroupVersion === 2 ? '' : controller);
    return mount === undefined || group === undefined ? undefined : join(mount, group);
  };
}

// Now: the groups are gone with the sandbox.
function readLimits({ profile, cgroupVersion }: Expected, findGroup: FindGroup): Evidence['limits'] {
  const found = leafWrites(cgroupVersion, profile.limits).flatMap(({ controller, file }) => {
    const group = findGroup(controller);
    const text = group === undefined ? undefined : readSoft(join(group, file));
    return text === undefined ? [] : [[file, text.trim()] as const];
  });
  return new Map(found);
}

function linksOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readSoftLink(`/proc/${pid}/fd/${fd}`) ?? '');
  } catch {
    return [];
  }
}

// v1 has no word for "all or none": what ends the rest is our supervisor, which holds this file of the group (lib/run/native/events.c).
function isWatched({ cgroupVersion }: Expected, findGroup: FindGroup): boolean {
  const place = cgroupVersion === 2 ? undefined : findGroup('memory');
  if (place === undefined) return false;
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .some((pid) =>
      linksOf(pid).some(
        (link) => basename(link) === 'memory.oom_control' && `${place}/`.startsWith(`${dirname(link)}/`),
      ),
    );
}

export interface Found {
  readonly program: number;
  /** All pids of the run. */
  readonly pids: readonly number[];
  readonly confined: boolean;
  /** sha256 of our probe. */
  readonly digest: string;
}

/** The pid of runsc's process in the role `sandbox` (the sentry) or `gofer`. Throws LAUNCH_FAILED. */
function findRole(pids: readonly number[], role: 'sandbox' | 'gofer'): number {
  const found = pids.find((pid) => readSoft(`/proc/${pid}/cmdline`)?.startsWith(`runsc-${role}\0`));
  if (found === undefined)
    throw new CofferdamError('LAUNCH_FAILED', `runsc has no ${role} in the sandbox's control group`);
  return found;
}

function seeFromHost(expected: Expected, program: Facts, pids: readonly number[]) {
  const findGroup = openGroups(expected, program);
  return {
    expected,
    host: readFacts(process.pid),
    program,
    strangers: strangersOf(program, pids),
    limits: readLimits(expected, findGroup),
    oomWatched: isWatched(expected, findGroup),
  };
}

/** The same where the program's kernel is a process: `program` is that process, the sentry. */
export function gatherAround(
  expected: Expected,
  pids: readonly number[],
): Omit<Evidence, 'attempts' | 'around'> & Omit<AroundGuest, 'guest'> {
  const sentry = readFacts(findRole(pids, 'sandbox'));
  return {
    ...seeFromHost(expected, sentry, pids),
    init: undefined,
    members: pids,
    sentry,
    gofer: readFacts(findRole(pids, 'gofer')),
  };
}

/** All but what the probe itself says. Throws LAUNCH_FAILED when what waits there is another program. */
export async function gatherOutside(expected: Expected, found: Found): Promise<Omit<Evidence, 'attempts'>> {
  const own = !found.confined || expected.ids.callerUid === 0;
  const program = own ? readFacts(found.program) : await readGuestFacts(found.program);
  if (digestProgram(found.program) !== found.digest) {
    throw new CofferdamError(
      'LAUNCH_FAILED',
      "another program answers in the probe's place; is the image a trusted one?",
    );
  }
  const inside = insiders(found.pids, program);
  const first = inside.find(({ facts }) => namespaceIds(facts, 'NSpid').at(-1) === 1);
  return {
    ...seeFromHost(expected, program, found.pids),
    init: found.confined ? first?.facts : undefined,
    members: inside.map(({ pid }) => pid),
  };
}
