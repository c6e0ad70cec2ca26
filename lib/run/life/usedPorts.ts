// Owns which ports of the host led into a run of a sandbox that lives on: its receipt is made when its starter is long gone.
import type { Paths } from '../../base/paths.ts';
import type { PublishedPort } from '../ports/publish.ts';
import { readSandbox, sandboxIdPattern } from './sandbox.ts';

/** The ports of run `ID-N` with plan `digest` (64 hex digits); undefined for any other run, and where nobody knows any more. */
export function readUsedPorts(
  paths: Paths,
  run: string,
  digest: string | undefined,
): readonly PublishedPort[] | undefined {
  const id = run.slice(0, run.lastIndexOf('-'));
  if (!sandboxIdPattern.test(id)) return undefined;
  try {
    const sandbox = readSandbox(paths, id);
    // Anybody may name a run of their own so: it would have another plan, or no ports in it.
    return sandbox?.run === run && sandbox.plan.digest === `sha256:${digest}` ? sandbox.ports : undefined;
  } catch {
    return undefined;
  }
}
