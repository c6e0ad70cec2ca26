// Owns the positive control: the same probe and the same look, of the same user, outside of any sandbox.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { CofferdamError } from '../../base/errors.ts';
import { streamTool, systemPath } from '../../base/exec.ts';
import { newRunId } from '../../base/ids.ts';
import { makeTemporary } from '../../base/temporary.ts';
import { type Host, type PlanWish, preparePlan } from '../prepare.ts';
import type { Check } from './check.ts';
import { expectedOf } from './confined.ts';
import { openDoors } from './doors.ts';
import type { Evidence, Expected } from './evidence.ts';
import { gatherOutside } from './gather.ts';
import { findDone, type Probe, probeArguments, waitFor } from './probe.ts';
import { parseReport } from './report.ts';

const mostOutput = 1 << 20;

async function watch(expected: Expected, ids: readonly string[], probe: Probe, folder: string): Promise<Evidence> {
  const doors = await openDoors();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const child = streamTool(probe.file, probeArguments({ folder, port: doors.port, profile: expected.profile, ids }), {
    // A name that no sandbox has, and below a fourth descriptor: what leaks must be seen to leak.
    env: { PATH: systemPath, COFFERDAM_CONTROL: '1' },
    cwd: folder,
    stdin: 'hold',
    stdout: (chunk) => {
      bytes += chunk.length;
      if (bytes <= mostOutput) chunks.push(chunk);
    },
    stderr: () => undefined,
    result: () => undefined,
    detached: 'group',
  });
  try {
    const pids = child.pid === undefined ? [] : [child.pid];
    const program = await waitFor(() => findDone(pids), child.ended);
    if (program === undefined) throw new CofferdamError('LAUNCH_FAILED', 'the probe did not come to its end outside');
    const seen = await gatherOutside(expected, { program, pids, confined: false, digest: probe.digest });
    child.kill('SIGTERM');
    await child.ended;
    return { ...seen, attempts: parseReport(Buffer.concat(chunks).toString('latin1'), ids) };
  } finally {
    child.kill('SIGKILL');
    child.release();
    await child.ended;
    await doors.close();
  }
}

/**
 * Runs what has a harmless control outside, with no sandbox at all. The expectations are those of the profile's sandbox,
 * so each check must fail. Throws LAUNCH_FAILED when the probe could not do its work.
 */
export async function examineOutside(
  wish: Omit<PlanWish, 'collectsArtifacts'>,
  host: Host,
  probe: Probe,
  select: (expected: Expected) => readonly Check[],
): Promise<Evidence> {
  const prepared = await preparePlan({ ...wish, collectsArtifacts: false }, host);
  prepared.workspace?.claim.release();
  const expected = expectedOf(prepared, newRunId(), host.uid);
  const ids = select(expected)
    .filter(({ inside }) => inside)
    .map((check) => check.id);
  const folder = makeTemporary(tmpdir(), 'verify');
  try {
    return await watch(expected, ids, probe, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
