// Owns the sandbox that is verified: an ordinary run of the profile's plan, whose program is our probe.
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { newRunId } from '../../base/ids.ts';
import { printable } from '../../base/printable.ts';
import { locateCgroups } from '../../engine/cgroupPlace.ts';
import { isGuestKernel } from '../../engine/guestKernel.ts';
import { copyOwner } from '../copy.ts';
import { type Invoked, invokePlan } from '../invoke.ts';
import { placeWorkspace } from '../placeWorkspace.ts';
import { type PublishedPort, publishPorts } from '../ports/publish.ts';
import { type Host, type PlanWish, type Prepared, preparePlan } from '../prepare.ts';
import { awaitRun } from '../receipt/awaited.ts';
import { closeWay, type OpenedWay, openWay } from '../wayOut.ts';
import type { Check } from './check.ts';
import { writableFolder } from './checks/places.ts';
import { openDoors } from './doors.ts';
import type { Evidence, Expected } from './evidence.ts';
import { gatherAround, gatherOutside, membersOf } from './gather.ts';
import { readGuest, tellFacts } from './guest.ts';
import { findDone, type Probe, probeArguments, waitFor } from './probe.ts';
import { endLine, parseReport } from './report.ts';

/** Takes the probe from its standard input, and becomes it. */
const receive = '/bin/cat >"$1" && /bin/chmod 0755 "$1" && exec "$@"';
/** Under gVisor it first says of itself what nobody sees from outside. */
const receiveInGuest = `${tellFacts}\n${receive}`;

function ownerOf({ profile, ids, workspace }: Prepared): Expected['owner'] {
  const { mode } = profile.workspace;
  if (workspace === undefined || (mode !== 'rw' && mode !== 'copy')) return undefined;
  if (mode === 'rw') return { uid: workspace.ownerUid, gid: workspace.ownerGid };
  const owner = copyOwner(ids);
  return owner.kind === 'owner' ? owner : undefined;
}

/** What a prepared run must be, in the checks' words. */
export function expectedOf(prepared: Prepared, id: string, uid: number): Expected {
  const { plan, profile, ids } = prepared;
  const cgroupVersion = locateCgroups(uid).version;
  return { id, profile, engine: plan.engine.name, ids, owner: ownerOf(prepared), cgroupVersion };
}

function explain({ record, stdout, stderr }: Invoked): CofferdamError {
  const said = printable(stderr.trim() || stdout.trim().slice(-200), 300);
  return new CofferdamError(
    'LAUNCH_FAILED',
    `the probe ended before it was looked at: ${record.reason} ${record.exitCode}${said === '' ? '' : `: ${said}`}`,
  );
}

interface Watched {
  readonly probe: Probe;
  readonly host: Host;
  readonly prepared: Prepared;
  readonly expected: Expected;
  readonly ids: readonly string[];
  readonly source: string | undefined;
  readonly wayOut: string | undefined;
  readonly ports: readonly PublishedPort[];
}

async function watch(
  { probe, host, prepared, expected, ids, source, wayOut, ports }: Watched,
  port: number,
): Promise<Evidence> {
  const { id, profile } = expected;
  const folder = writableFolder(profile.workspace.mode);
  const file = join(folder, 'cofferdam-probe');
  const isGuest = isGuestKernel(expected.engine);
  const ending = new AbortController();
  let said = '';
  const signal = AbortSignal.any([host.signal, ending.signal]);
  const words = [file, ...probeArguments({ folder, port, profile, ids })];
  const bindings = {
    id,
    argv: ['/bin/sh', '-c', isGuest ? receiveInGuest : receive, 'verify', ...words],
    workspace: source,
    wayOut,
    ports,
    timeoutMs: profile.limits.timeout,
  };
  const run = invokePlan({
    plan: prepared.plan,
    bindings,
    callerUid: host.uid,
    output: 'capture',
    stdin: probe.bytes,
    signal,
    onOutput: (chunk) => {
      said = `${said}${Buffer.from(chunk).toString('latin1')}`.slice(-endLine.length);
    },
  });
  const leaves = locateCgroups(host.uid).folders.map(({ path }) => join(path, id));
  // A controller may be missing here; the members are the same in all.
  const pidsOf = () => [...new Set(leaves.flatMap((leaf) => membersOf(leaf)))];
  try {
    const look = () => (isGuest ? (said === endLine ? 0 : undefined) : findDone(pidsOf()));
    const program = await waitFor(look, run);
    if (program === undefined) {
      ending.abort();
      throw explain(await run);
    }
    const seen = isGuest
      ? gatherAround(expected, pidsOf())
      : await gatherOutside(expected, { program, pids: pidsOf(), confined: true, digest: probe.digest });
    ending.abort();
    const { stdout, record } = await run;
    if (record.truncated.stdout)
      throw new CofferdamError('LAUNCH_FAILED', "the profile's output.stdout cuts the probe's report");
    if (!('sentry' in seen)) return { ...seen, attempts: parseReport(stdout, ids) };
    const { sentry, gofer, ...rest } = seen;
    const { guest, rest: report } = readGuest(stdout);
    return { ...rest, attempts: parseReport(report, ids), around: { sentry, gofer, guest } };
  } finally {
    ending.abort();
    await run.catch(() => undefined);
  }
}

/**
 * Starts one sandbox, has it looked at from inside and outside, and ends it. `select` says which checks will be judged.
 * Throws whatever refuses the run, and LAUNCH_FAILED when the probe could not do its work. Nothing is left.
 */
export async function examineSandbox(
  wish: Omit<PlanWish, 'collectsArtifacts'>,
  host: Host,
  probe: Probe,
  select: (expected: Expected) => readonly Check[],
): Promise<Evidence> {
  const prepared = await preparePlan({ ...wish, collectsArtifacts: false }, host);
  const id = newRunId();
  const expected = expectedOf(prepared, id, host.uid);
  const ids = select(expected)
    .filter(({ inside }) => inside)
    .map((check) => check.id);
  // While we live, a copy that is being made for it is nobody's leftover, and its receipt is made when we are done.
  const awaited = awaitRun(prepared.folders.awaited, id);
  const ports = await publishPorts(prepared.profile.ports, prepared.plan.profileName, host).catch((error: unknown) => {
    prepared.workspace?.claim.release();
    awaited.release();
    throw error;
  });
  const around = await placeWorkspace(prepared, id, host).catch((error: unknown) => {
    awaited.release();
    throw error;
  });
  const doors = await openDoors();
  let way: OpenedWay | undefined;
  try {
    way = await openWay(prepared, id, host.openWayOut);
    const asked = { probe, host, prepared, expected, ids, source: around.source, wayOut: way?.folder, ports };
    return await watch(asked, doors.port);
  } finally {
    await closeWay(way);
    await doors.close();
    // The probe wrote nothing into a workspace, so nobody reviews a copy; a writable one is looked through all the same.
    if (prepared.profile.workspace.mode === 'copy') await around.undo();
    else await around.finish();
    awaited.release();
  }
}
