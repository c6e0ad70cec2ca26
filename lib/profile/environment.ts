// Owns which environment variables a profile or a caller may give to a sandbox.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { findSecret } from './secrets.ts';

export const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Names that only we set. SANDBOX_*: what a program is told about its run must be true. TINI_*: they reconfigure PID 1
 * (signals, process groups, exit status). LD_PRELOAD and its like are allowed: our init is static and set-id programs
 * gain nothing under noNewPrivileges, so they only change the guest's own programs.
 */
const ours = /^(SANDBOX|TINI)_/;

/**
 * Checks every variable. `where` says where a variable was named, as what a message starts with (`file:line:col  `, `--env `). Throws ENV_INVALID for a bad
 * name or one of ours, ENV_SECRET for what looks like a secret; no message holds any part of a value.
 */
export function checkEnvironment(env: Readonly<Record<string, string>>, where: (name: string) => string): void {
  for (const [name, value] of Object.entries(env)) {
    const shown = printable(name, 130);
    // An object cannot hold __proto__ as a key of its own everywhere: it would be dropped in silence.
    if (!environmentName.test(name) || name === '__proto__') {
      throw new CofferdamError('ENV_INVALID', `${where(name)}"${shown}" is not a variable name`);
    }
    if (ours.test(name)) throw new CofferdamError('ENV_INVALID', `${where(name)}${shown} is set by us alone`);
    const reason = findSecret(name, value);
    if (reason !== undefined) throw new CofferdamError('ENV_SECRET', `${where(name)}${shown}: ${reason}`);
  }
}
