// Owns removing files and folders that a killed process was writing under a name for the time being.
import { lstatSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Paths } from '../base/paths.ts';
import { sweepTemporaries } from '../base/temporary.ts';
import { showPath } from './beneath.ts';
import { removeTree } from './copyTree.ts';
import { runFolders } from './folders.ts';
import { ageMs, listNames, pathOf } from './ownFiles.ts';

/** Of writeFileAtomic (base/files.ts), and by pid of a plan and of init (plan.ts, init.ts). */
const halfName = /\.([0-9a-f]{12}|[0-9]{1,10})\.new$/;

// Between making and renaming lies one write and its sync; a half that is taken from a process that stood still for longer
// makes its rename fail, and with it what it was for.
const settleMs = 60_000;

async function sweepFolder(folder: string, now: number): Promise<string[]> {
  const removed: string[] = [];
  for (const name of listNames(folder).filter((one) => halfName.test(one))) {
    const path = pathOf(folder, name);
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (found === undefined || ageMs(found, now) < settleMs) continue;
    // A plan is read-only when it is whole.
    if (found.isDirectory()) await removeTree(String(path), new AbortController().signal);
    else rmSync(path, { force: true });
    removed.push(`${folder}/${showPath(name)}`);
  }
  return removed;
}

/** Removes what is half written in our folders, and gives the paths. `now` in ms since the epoch. */
export async function sweepHalves(paths: Paths, now: number): Promise<string[]> {
  const { plans, index, copies } = runFolders(paths);
  const ours = [paths.state, join(paths.state, 'claims'), plans, index, join(paths.data, 'init')];
  const removed: string[] = [];
  for (const folder of [...ours, ...listNames(copies).map((name) => `${copies}/${name}`)])
    removed.push(...(await sweepFolder(folder, now)));
  return [...removed, ...sweepTemporaries([...new Set([tmpdir(), '/tmp'])])];
}
