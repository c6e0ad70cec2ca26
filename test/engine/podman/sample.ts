// Owns a spec template as plans have it, from a fixed profile.

import { buildSpec } from '../../../lib/spec/build.ts';
import { placeholderIds, placeholders } from '../../../lib/spec/placeholders.ts';
import type { OciSpec } from '../../../lib/spec/types.ts';
import { mapIds } from '../../../lib/spec/uidmap.ts';
import { sampleRequest, shippedProfile } from '../../spec/samples.ts';

const ids = {
  callerUid: 1000,
  callerGid: 1000,
  subuids: { start: 100_000, count: 65_536 },
  subgids: { start: 100_000, count: 65_536 },
};

/** The template for a shipped profile, whose writable workspace belongs to the caller when `mode` is rw. */
export function sampleTemplate(mode: 'scratch' | 'rw' = 'scratch'): OciSpec {
  const profile = shippedProfile('base-tools');
  const program = mode === 'rw' ? { kind: 'owner' as const, uid: 1000, gid: 1000 } : { kind: 'slot' as const };
  return buildSpec({
    ...sampleRequest({ ...profile, workspace: { ...profile.workspace, mode } }),
    ids: mapIds({ ...ids, callerUid: 0, callerGid: 0 }, profile.user, placeholderIds, program),
    workspace: { mode, source: placeholders.workspace, guarded: ['.git/hooks'] },
    argv: [placeholders.argv],
    runId: placeholders.runId,
    taskId: placeholders.taskId,
    jobId: placeholders.jobId,
  });
}
