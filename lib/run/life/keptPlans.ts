// Owns which plans are kept for the sandboxes that were made from them.
import { basename } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { listSandboxIds, readSandbox, readSandboxText } from './sandbox.ts';

/** 64 hex digits each. A damaged sandbox.json keeps nothing, and hinders nobody else's run. */
export function keptPlans(paths: Paths): Set<string> {
  const kept = new Set<string>();
  for (const id of listSandboxIds(paths)) {
    try {
      const sandbox = readSandbox(paths, id);
      if (sandbox !== undefined) kept.add(basename(sandbox.plan.directory));
    } catch (error) {
      // Of a newer one only its own version knows which digest is its plan's. Who names a damaged one is told so.
      if (error instanceof CofferdamError && error.code === 'SANDBOX_NEWER')
        for (const digest of readSandboxText(paths, id)?.match(/[0-9a-f]{64}/g) ?? []) kept.add(digest);
    }
  }
  return kept;
}
