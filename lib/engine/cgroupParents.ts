// Owns making and checking the folders below which leaves are made.
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import type { CgroupParents } from './cgroup.ts';

const setupRemedy = 'as root: sandbox setup --user "$USER"';

// v2 hands a controller down only where every parent's subtree_control names it (cgroup-v2, "Enabling and Disabling").
function enableControllers(path: string, controllers: readonly string[]): void {
  const words = controllers.map((controller) => `+${controller}`).join(' ');
  for (const folder of [dirname(dirname(path)), dirname(path), path]) {
    writeFileSync(join(folder, 'cgroup.subtree_control'), words);
  }
}

/**
 * Makes sure that leaves can be made: root makes missing parents (they are gone after a reboot), anybody else needs those
 * that `sandbox setup` made. Throws LIMIT_UNENFORCEABLE.
 */
export function ensureCgroupParents(parents: CgroupParents, callerUid: number): void {
  for (const { path, controllers } of parents.folders) {
    try {
      if (callerUid === 0 && !existsSync(path)) {
        mkdirSync(path, { recursive: true, mode: 0o755 });
        if (parents.version === 2) enableControllers(path, controllers);
      }
      accessSync(path, constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new CofferdamError(
        'LIMIT_UNENFORCEABLE',
        `limits cannot be applied: ${path} is missing or not ours to write`,
        {
          remedy: callerUid === 0 ? 'see: sandbox doctor' : setupRemedy,
          cause,
        },
      );
    }
  }
}
