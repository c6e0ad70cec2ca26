// Owns making a delegated unit of systemd ready for runs: started, its own processes in a group aside, controllers handed down.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { type CgroupUnit, controllers } from './cgroup.ts';

/** Below the unit; holds the unit's own processes. The dot keeps it from being the id of a run. */
export const supervisorGroup = 'supervisor.group';

/** Whether `folder` hands all controllers down to the groups in it. */
export function handsDown(folder: string): boolean {
  const file = join(folder, 'cgroup.subtree_control');
  if (!existsSync(file)) return false;
  const names = readFileSync(file, 'utf8').trim().split(' ');
  return controllers.every((name) => names.includes(name));
}

/** Hands all controllers down; the kernel refuses with EBUSY while a process is in `folder` itself (cgroup-v2.rst). */
export function handDown(folder: string): void {
  writeFileSync(join(folder, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
}

/** Whether the unit's group is ready for leaves. */
export function isClaimed(folder: string): boolean {
  return existsSync(join(folder, supervisorGroup)) && handsDown(folder);
}

function moveAside(folder: string): void {
  for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    try {
      writeFileSync(join(folder, supervisorGroup, 'cgroup.procs'), pid);
    } catch (error) {
      // It ended meanwhile.
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }
}

/**
 * Moves every process of the unit to a group aside and hands the controllers down: no group of v2 has both processes and
 * children with controllers. systemd 254 could do it (DelegateSubgroup=), Debian 12 has 252. Throws what the kernel says.
 */
export function claimUnit(folder: string): void {
  mkdirSync(join(folder, supervisorGroup), { recursive: true });
  for (let tries = 0; ; tries++) {
    moveAside(folder);
    try {
      handDown(folder);
      return;
    } catch (error) {
      // A process was started between the two.
      if (errnoOf(error) !== 'EBUSY' || tries === 100) throw error;
    }
  }
}

/** Starts the unit that holds runs; nothing when it runs. Throws LIMIT_UNENFORCEABLE with what is to be done. */
export async function startRunsUnit({ name, manager }: CgroupUnit, uid: number): Promise<void> {
  if (manager !== undefined && !existsSync(manager)) {
    throw new CofferdamError('LIMIT_UNENFORCEABLE', 'limits cannot be applied: no systemd of this user is running', {
      remedy: `log in, or as root: loginctl enable-linger ${uid}`,
    });
  }
  const whose = manager === undefined ? [] : ['--user'];
  const env: Record<string, string> = manager === undefined ? {} : { XDG_RUNTIME_DIR: `/run/user/${uid}` };
  try {
    await runTool('systemctl', [...whose, '--no-ask-password', 'start', '--', name], { env });
  } catch (cause) {
    throw new CofferdamError('LIMIT_UNENFORCEABLE', `limits cannot be applied: ${name} cannot be started`, {
      remedy: uid === 0 ? 'sandbox setup' : 'as root: sandbox setup --user "$USER"',
      cause,
    });
  }
}
