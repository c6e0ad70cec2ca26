// Owns removing sandboxes: their run ended and recorded, their name free, their folder gone.
import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { listIfPresent } from '../../base/files.ts';
import type { Paths } from '../../base/paths.ts';
import { findCgroups } from '../../engine/cgroupPlace.ts';
import { usedWayFile } from '../../policy/lease.ts';
import { runFolders } from '../folders.ts';
import { freeLeftovers } from '../leftovers.ts';
import { giveBackPorts } from '../ports/publish.ts';
import type { Host } from '../prepare.ts';
import { completeDue } from '../receipt/complete.ts';
import { finishSandbox } from './finish.ts';
import { lockSandbox } from './lock.ts';
import { releaseName } from './names.ts';
import { readSandbox, type Sandbox, sandboxesFolder, sandboxFolder, sandboxIdPattern } from './sandbox.ts';
import { readState } from './state.ts';
import { endRun, stopSandbox } from './stop.ts';
import { awaitCounts } from './usedWay.ts';

// Between the folder and its sandbox.json, or between losing it and going; nothing takes longer than this.
const settleMs = 60_000;

function removeFolder(paths: Paths, id: string): void {
  const folder = sandboxFolder(paths, id);
  // First of all: without it there is no sandbox, only a folder that prune takes away.
  rmSync(join(folder, 'sandbox.json'), { force: true });
  rmSync(folder, { recursive: true, force: true });
}

// A record that outlives its process leads to what a kill left; without it only the receipt is due.
async function settleRun(host: Host, run: string): Promise<void> {
  const now = Date.now();
  const left = lstatSync(join(runFolders(host.paths).records, run), { throwIfNoEntry: false }) !== undefined;
  if (left) await freeLeftovers(host, { cgroups: findCgroups(host.uid), now, thorough: false });
  else await completeDue(host, now);
}

/**
 * Removes a sandbox. One that runs or is paused is killed first when `force` is given, and refused with SANDBOX_STATE otherwise. What a
 * killed supervisor left is freed; the receipt of the last run is made while we know it.
 */
export async function removeSandbox(known: Sandbox, host: Host, force: boolean): Promise<void> {
  const { paths } = host;
  const lock = await lockSandbox(paths, known);
  try {
    const { sandbox } = lock;
    const { status } = readState(paths, sandbox);
    const lives = status === 'running' || status === 'paused';
    if (lives && !force) {
      throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} is ${status}`, {
        remedy: `sandbox stop ${sandbox.name}, or: sandbox rm -f ${sandbox.name}`,
      });
    }
    if (lives) await stopSandbox(paths, sandbox, 0);
    if (sandbox.run !== null) await settleRun(host, sandbox.run);
    await finishSandbox(paths, sandbox);
    await giveBackPorts(sandbox.name, host);
    if (sandbox.run !== null) {
      // What the daemon of its way out writes down later would stay.
      await awaitCounts(paths);
      rmSync(usedWayFile(paths, sandbox.run), { force: true });
    }
    removeFolder(paths, sandbox.id);
    releaseName(paths, sandbox.name, sandbox.id);
  } finally {
    lock.release();
  }
}

/**
 * Removes the sandbox with id `id` when its sandbox.json is damaged: what runs under its id is killed, by its records alone. False when it is
 * whole, or there is none.
 */
export async function removeDamaged(id: string, { paths }: Host): Promise<boolean> {
  if (!sandboxIdPattern.test(id) || !isDamaged(paths, id)) return false;
  const runs = listIfPresent(runFolders(paths).records).filter((name) => name.startsWith(`${id}-`));
  for (const run of runs) await endRun(paths, run, 0);
  removeFolder(paths, id);
  return true;
}

function isDamaged(paths: Paths, id: string): boolean {
  try {
    readSandbox(paths, id);
    return false;
  } catch (error) {
    if (error instanceof CofferdamError) return error.code === 'CONFIG_UNREADABLE';
    throw error;
  }
}

/** Folders of sandboxes whose making or removal was killed: removed, and how many. */
export function sweepHalfMade(paths: Paths, now: number): number {
  const names = listIfPresent(sandboxesFolder(paths)).filter((name) => sandboxIdPattern.test(name));
  const half = names.filter((name) => {
    const folder = sandboxFolder(paths, name);
    if (lstatSync(join(folder, 'sandbox.json'), { throwIfNoEntry: false }) !== undefined) return false;
    const found = lstatSync(folder, { throwIfNoEntry: false });
    return found !== undefined && now - found.mtimeMs > settleMs;
  });
  for (const name of half) rmSync(sandboxFolder(paths, name), { recursive: true, force: true });
  return half.length;
}
