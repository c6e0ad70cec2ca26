// Owns which plans are kept for the sandboxes that were made from them.
import { basename } from 'node:path';
import type { Paths } from '../../base/paths.ts';
import { listSandboxIds, readSandbox } from './sandbox.ts';

/** 64 hex digits each. A damaged sandbox.json keeps nothing, and hinders nobody else's run. */
export function keptPlans(paths: Paths): Set<string> {
  const kept = new Set<string>();
  for (const id of listSandboxIds(paths)) {
    try {
      const sandbox = readSandbox(paths, id);
      if (sandbox !== undefined) kept.add(basename(sandbox.plan.directory));
    } catch {
      // Who names it is told so.
    }
  }
  return kept;
}
