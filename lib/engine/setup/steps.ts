// Owns host preparation as a whole: which steps there are, in which order.
import { join } from 'node:path';
import { readTextIfPresent } from '../../base/files.ts';
import type { Paths } from '../../base/paths.ts';
import { systemUser } from '../subids.ts';
import { egressUserSteps, subidStep, systemUserStep } from './accountSteps.ts';
import { type Account, findAccount } from './accounts.ts';
import { cgroupStep, fastMovesStep, strayStep } from './cgroupSteps.ts';
import { egressStep, isEgressInstalled } from './egressStep.ts';
import { folderStep } from './folderStep.ts';
import { packageStep } from './packageStep.ts';
import { runsUnitStep } from './runsUnitStep.ts';
import type { Step } from './step.ts';
import { strictSquidStep } from './strictSquidStep.ts';
import { parseUsers, unitStep, usersStep } from './unitStep.ts';

export interface SetupOptions {
  readonly paths: Paths;
  /** The plain user that will run sandboxes, beside root. */
  readonly user: string | undefined;
  /** Also what bin/test needs. */
  readonly tests: boolean;
  /** Also the service that lets the sandboxes of all callers out; kept up to date where it is installed. */
  readonly egress: boolean;
  /** Proxy and TLS settings of the caller, for apt. */
  readonly env: Readonly<Record<string, string>>;
}

const root: Account = { name: 'root', uid: 0, gid: 0 };

function accountOf(name: string): Account {
  return findAccount(readTextIfPresent('/etc/passwd', 16 << 20) ?? '', name);
}

function usersFile(paths: Paths): string {
  return join(paths.config, 'users');
}

/** Everything, for root and one user. Throws HOST_UNPREPARED for a user that does not exist, before anything is changed. */
export function setupSteps({ paths, user, tests, egress, env }: SetupOptions): Step[] {
  const account = user === undefined || user === root.name ? undefined : accountOf(user);
  return [
    packageStep({ tests, env }),
    folderStep(),
    systemUserStep(),
    ...egressUserSteps(),
    strictSquidStep(env),
    subidStep(systemUser),
    ...(account === undefined ? [] : [subidStep(account.name)]),
    strayStep,
    runsUnitStep(paths.install),
    cgroupStep(root),
    ...(account === undefined ? [] : [cgroupStep(account), usersStep(account.name, usersFile(paths))]),
    fastMovesStep,
    unitStep(paths.install),
    ...(egress || isEgressInstalled() ? [egressStep(paths.install, usersFile(paths))] : []),
  ];
}

/** What a reboot takes away, for root and every user that was prepared. A user who is gone is passed over. */
export function bootSteps(paths: Paths): Step[] {
  const passwd = readTextIfPresent('/etc/passwd', 16 << 20) ?? '';
  const users = parseUsers(readTextIfPresent(usersFile(paths)) ?? '');
  const accounts = users.flatMap((name) => {
    try {
      return [findAccount(passwd, name)];
    } catch {
      return [];
    }
  });
  return [strayStep, cgroupStep(root), ...accounts.map(cgroupStep), fastMovesStep];
}
