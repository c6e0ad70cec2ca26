// Owns freezing a sandbox, and thawing it. The freezer of cgroup v2 is a file of every leaf; v1 has it as a controller.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import type { Sandbox } from './sandbox.ts';

type Frozen = Pick<Sandbox, 'cgroups' | 'run' | 'name'>;

/** The words of each version (cgroup-v2.rst, "cgroup.freeze"; cgroup-v1/freezer-subsystem.rst). */
const words = {
  1: { file: 'freezer.state', freeze: 'FROZEN', thaw: 'THAWED' },
  2: { file: 'cgroup.freeze', freeze: '1', thaw: '0' },
} as const;

/** Of all processes of a sandbox to stop: each stops when it next leaves the kernel. */
const settleMs = 30_000;
const lookMs = 5;

/** The control file; undefined where the run has none. */
export function freezerFile({ cgroups, run }: Pick<Frozen, 'cgroups' | 'run'>): string | undefined {
  const { version, folders } = cgroups;
  const folder = version === 2 ? folders[0] : folders.find(({ controllers }) => controllers.includes('freezer'));
  return run === null || folder === undefined ? undefined : join(folder.path, run, words[version].file);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    // The run has ended, and its group with it.
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENODEV') return '';
    throw cause;
  }
}

/** Whether its processes are stopped by the freezer, or are being stopped. */
export function isFrozen(sandbox: Pick<Frozen, 'cgroups' | 'run'>): boolean {
  const file = freezerFile(sandbox);
  // v1 says FREEZING first.
  return file !== undefined && /^(1|FROZEN|FREEZING)$/.test(read(file));
}

/** Whether all have stopped. v2 tells so in another file. */
function isSettled(file: string, version: 1 | 2): boolean {
  if (version === 1) return read(file) === words[1].freeze;
  return /^frozen 1$/m.test(read(join(file, '..', 'cgroup.events')));
}

/**
 * Stops all processes of a sandbox where they are, and waits until they have. No signal of the guest wakes them: that is why it is
 * not SIGSTOP, from which a timer or a helper wakes itself. Throws HOST_UNPREPARED without a freezer of ours, SANDBOX_STATE.
 */
export async function freeze(sandbox: Frozen): Promise<void> {
  const { version } = sandbox.cgroups;
  const file = freezerFile(sandbox);
  if (file === undefined) {
    throw new CofferdamError(
      'HOST_UNPREPARED',
      `${sandbox.name} was started without a freezer group, so it cannot be paused`,
      {
        remedy: `as root: sandbox setup --user "$USER"; then start it anew: sandbox stop ${sandbox.name}, sandbox start ${sandbox.name}`,
      },
    );
  }
  try {
    writeFileSync(file, words[version].freeze, { flag: 'r+' });
  } catch (cause) {
    throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} cannot be paused: it has ended, or its group is gone`, {
      cause,
    });
  }
  for (const giveUp = performance.now() + settleMs; performance.now() < giveUp; ) {
    if (isSettled(file, version)) return;
    // v1 may give up on a process that was in the middle of a system call; asking again is how it is meant.
    if (version === 1 && read(file) !== '') writeFileSync(file, words[1].freeze, { flag: 'r+' });
    await new Promise((done) => setTimeout(done, lookMs));
  }
  thaw(sandbox);
  throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} did not come to rest, and runs on`, {
    remedy: 'a process may hang in the kernel; try again',
  });
}

/** Lets its processes run again; one that is not frozen, or gone, is left as it is. */
export function thaw(sandbox: Pick<Frozen, 'cgroups' | 'run'>): void {
  const file = freezerFile(sandbox);
  if (file === undefined) return;
  try {
    writeFileSync(file, words[sandbox.cgroups.version].thaw, { flag: 'r+' });
  } catch (cause) {
    if (!['ENOENT', 'ENODEV'].includes(errnoOf(cause) ?? '')) throw cause;
  }
}
