// Owns what the doctor says about user namespaces: the kernel's switches, and a try as the caller.
import { messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { printable } from '../../base/printable.ts';
import { findTool } from '../tools.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, setupCommandFor, warn } from './check.ts';

function readNumber(name: string): number | undefined {
  const text = readTextIfPresent(`/proc/sys/${name}`)?.trim();
  return text === undefined || !/^[0-9]+$/.test(text) ? undefined : Number(text);
}

export interface Switches {
  /** user.max_user_namespaces */
  readonly most: number | undefined;
  /** kernel.unprivileged_userns_clone, a patch of Debian's */
  readonly debian: number | undefined;
  /** kernel.apparmor_restrict_unprivileged_userns, Ubuntu's since 23.10 */
  readonly ubuntu: number | undefined;
}

/** What the switches say. Pure. */
export function judgeSwitches({ most, debian, ubuntu }: Switches, uid: number): Finding[] {
  const findings: Finding[] = [];
  if (most === 0) {
    findings.push(
      fail('namespaces.most', 'user.max_user_namespaces is 0', 'as root: sysctl -w user.max_user_namespaces=15000'),
    );
  }
  if (debian === 0 && uid !== 0) {
    const remedy = 'as root: sysctl -w kernel.unprivileged_userns_clone=1';
    findings.push(
      fail('namespaces.debian', 'kernel.unprivileged_userns_clone is 0: only root makes user namespaces', remedy),
    );
  }
  if (ubuntu === 1 && uid !== 0) {
    const remedy =
      'give crun and unshare an AppArmor profile with `userns,`, or as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
    findings.push(fail('namespaces.apparmor', 'AppArmor lets only named programs use user namespaces', remedy));
  }
  return findings.length > 0
    ? findings
    : [ok('namespaces.switches', `user namespaces are allowed (at most ${most ?? 'any number of'})`)];
}

async function tryNamespaces(input: DoctorInput): Promise<Finding> {
  const id = 'namespaces.try';
  const unshare = findTool('unshare');
  if (unshare === undefined) return fail(id, 'unshare is not installed', setupCommandFor(input));
  // Root's sandboxes get their map written by crun; a plain user's need newuidmap and a range.
  const map = input.uid === 0 ? [] : ['--map-auto'];
  const args = [
    '--user',
    '--map-root-user',
    ...map,
    '--mount',
    '--pid',
    '--fork',
    '--ipc',
    '--uts',
    '--net',
    '--cgroup',
    '--mount-proc',
  ];
  try {
    await runTool(unshare, [...args, 'true'], { timeoutMs: 60_000 });
    return ok(id, 'all namespaces were made, with /proc of their own');
  } catch (cause) {
    return fail(id, printable(messageOf(cause), 300), setupCommandFor(input));
  }
}

/** The podman engine mounts one in a user namespace of the caller (Linux 5.11). */
async function tryOverlay(input: DoctorInput): Promise<Finding> {
  const id = 'namespaces.overlay';
  const [unshare, mount] = [findTool('unshare'), findTool('mount')];
  if (unshare === undefined || mount === undefined)
    return fail(id, 'unshare or mount is missing', setupCommandFor(input));
  const overlay = [mount, '-t', 'overlay', '-o', 'ro,lowerdir=/usr:/etc', 'overlay', '/mnt'];
  try {
    await runTool(unshare, ['--user', '--map-root-user', '--mount', ...overlay], { timeoutMs: 60_000 });
    return ok(id, 'an overlay can be mounted in a user namespace');
  } catch (cause) {
    return warn(id, `no overlay in a user namespace: ${printable(messageOf(cause), 200)}`, 'use --engine crun');
  }
}

export const checkNamespaces: Check = async (input) => [
  ...judgeSwitches(
    {
      most: readNumber('user/max_user_namespaces'),
      debian: readNumber('kernel/unprivileged_userns_clone'),
      ubuntu: readNumber('kernel/apparmor_restrict_unprivileged_userns'),
    },
    input.uid,
  ),
  await tryNamespaces(input),
  await tryOverlay(input),
];
