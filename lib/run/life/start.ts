// Owns starting a sandbox: what was asked for at its creation is compiled and judged anew, and launched to outlive us.
import { rmSync } from 'node:fs';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { findCgroups } from '../../engine/cgroupPlace.ts';
import { selectEngine } from '../../engine/select.ts';
import { usedWayFile } from '../../policy/lease.ts';
import { freeLeftovers } from '../leftovers.ts';
import { type Around, placeWorkspace } from '../placeWorkspace.ts';
import { publishPorts } from '../ports/publish.ts';
import type { Host } from '../prepare.ts';
import { awaitRun } from '../receipt/awaited.ts';
import { checkKey } from '../receipt/complete.ts';
import { leaseWay } from '../wayOut.ts';
import { prepareSandbox } from './create.ts';
import { liveRunOf, makeEntrance } from './entrance.ts';
import { finishSandbox } from './finish.ts';
import { launchSandbox } from './launch.ts';
import { lockSandbox } from './lock.ts';
import { type Sandbox, writeSandbox } from './sandbox.ts';
import { readLive, readState, resultFile } from './state.ts';
import type { TerminalSize } from './typing.ts';

function refuseChanged(sandbox: Sandbox, now: Pick<Sandbox, 'profileDigest' | 'image'>): void {
  const changed = [
    ...(sandbox.profileDigest === now.profileDigest ? [] : [`the profile ${printable(sandbox.profileName)}`]),
    ...(sandbox.image.digest === now.image.digest ? [] : [`the image ${printable(sandbox.image.name)}`]),
  ];
  if (changed.length === 0) return;
  throw new CofferdamError('SANDBOX_CHANGED', `since ${sandbox.name} was created, ${changed.join(' and ')} changed`);
}

// So that the first command already goes the short way (lib/run/shell/exec.sh). What is in the way of it is told by that command.
async function makeFirstEntrance(paths: Paths, sandbox: Sandbox): Promise<void> {
  try {
    await makeEntrance(paths, sandbox);
  } catch (error) {
    // Its run folder goes when it ends at once.
    if (!(error instanceof CofferdamError) && errnoOf(error) !== 'ENOENT') throw error;
  }
}

// A copy of which no program knew holds nobody's work. A supervisor that has not cleaned up yet looks a writable folder through itself.
async function giveUp(around: Around, { workspace }: Sandbox, error: unknown, host: Host): Promise<void> {
  const refused = error instanceof CofferdamError && error.code !== 'RUN_LOST';
  if (refused && workspace.mode !== 'rw') {
    await around.undo();
    return;
  }
  around.leave();
  if (workspace.mode === 'rw')
    await freeLeftovers(host, { cgroups: findCgroups(host.uid), now: Date.now(), thorough: false });
}

async function startLocked(sandbox: Sandbox, host: Host, size: TerminalSize | undefined): Promise<Sandbox> {
  const { paths } = host;
  checkKey(host);
  const { prepared, facts } = await prepareSandbox(sandbox, host);
  const { plan, folders } = prepared;
  const starts = sandbox.starts + 1;
  const run = `${sandbox.id}-${starts}`;
  try {
    refuseChanged(sandbox, facts);
    const awaited = awaitRun(folders.awaited, run);
    try {
      const ports = await publishPorts(prepared.profile.ports, sandbox.name, host);
      const around = await placeWorkspace(prepared, run, host);
      const way = await leaseWay(prepared, run, host.leaseWayOut).catch(async (error: unknown) => {
        await around.undo();
        throw error;
      });
      const { plan: ours, cgroups, engine } = facts;
      const started: Sandbox = { ...sandbox, plan: ours, cgroups, engine, ports, run, starts };
      const writable = started.workspace.mode === 'rw';
      // Before anything runs: a run that its sandbox does not know would be nobody's.
      writeSandbox(paths, started);
      const { life } = await selectEngine(plan.engine.name);
      if (life === undefined) throw new RangeError(plan.engine.name);
      await launchSandbox({
        paths,
        sandbox: started,
        run,
        launch: plan.launch,
        workspace: around.source,
        writable,
        way,
        timeoutMs: prepared.profile.limits.timeout,
        size: sandbox.tty ? size : undefined,
        isReady: () => life.isReady(liveRunOf(paths, started)),
        signal: host.signal,
      }).catch(async (error: unknown) => {
        await way?.close().catch(() => undefined);
        writeSandbox(paths, { ...sandbox, starts });
        rmSync(resultFile(paths, sandbox.id, run), { force: true });
        rmSync(usedWayFile(paths, run), { force: true });
        await giveUp(around, started, error, host);
        throw error;
      });
      way?.leave();
      around.leave();
      // It has ended before anybody could know whose the folder was.
      if (readLive(paths, run) === undefined) await finishSandbox(paths, started);
      if (sandbox.run !== null) {
        rmSync(resultFile(paths, sandbox.id, sandbox.run), { force: true });
        rmSync(usedWayFile(paths, sandbox.run), { force: true });
      }
      if (life.enter !== undefined) await makeFirstEntrance(paths, started);
      return started;
    } finally {
      awaited.release();
    }
  } finally {
    prepared.workspace?.claim.release();
  }
}

/**
 * Starts a sandbox that does not run (with a terminal of `size`), and gives it as it is then; one that runs is left as it is. Throws SANDBOX_STATE for a paused
 * one, SANDBOX_CHANGED, and all that preparePlan and launchSandbox throw: it is not started then.
 */
export async function startSandbox(known: Sandbox, host: Host, size?: TerminalSize): Promise<Sandbox> {
  const lock = await lockSandbox(host.paths, known);
  try {
    const { sandbox } = lock;
    const { status } = readState(host.paths, sandbox);
    if (status === 'running') {
      // Its daemon may have been killed.
      if (sandbox.network.mode === 'proxy') await host.restoreWaysOut?.();
      return sandbox;
    }
    if (status !== 'paused') return await startLocked(sandbox, host, size);
    throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} is paused`, {
      remedy: `sandbox unpause ${sandbox.name}`,
    });
  } finally {
    lock.release();
  }
}
