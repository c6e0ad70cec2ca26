// Owns taking out of a writable folder, after a run, the places that would run code on the host: moved, never followed.
import { chmodSync, closeSync, lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { ensureDirectory } from '../base/files.ts';
import { requireTool } from '../engine/tools.ts';
import { at, type BytePath, folderPath, fromBytes, openFolder, openRoot, showPath, withParent } from './beneath.ts';
import { findNew, type GuardedMarks } from './guarded.ts';

export interface SetAside {
  /** Path below the workspace, as printable text. */
  readonly path: string;
  /** Where it lies now. */
  readonly kept: string;
}

export interface SetAsideRequest {
  /** The workspace, absolute and real. */
  readonly source: string;
  readonly before: GuardedMarks;
  /** A folder of the run's state; made when there is something to keep. */
  readonly destination: string;
  readonly signal: AbortSignal;
}

const mostMoved = 10_000;

// The guest has the owner's uid, so it can hide a folder from its owner by mode. `-execdir` acts in the folder that find
// has open; find evaluates this before it descends.
async function openHidden(source: string): Promise<void> {
  const chmod = requireTool('chmod', 'coreutils');
  const args = [
    '-P',
    source,
    '-xdev',
    '-type',
    'd',
    '!',
    '-perm',
    '-u=rx',
    '-execdir',
    chmod,
    '--',
    'u+rwx',
    '{}',
    ';',
  ];
  await runTool(requireTool('find', 'findutils'), args, { accept: [0, 1], timeoutMs: 120_000 });
}

function makeWritable(folder: number): void {
  const { mode } = lstatSync(`${folderPath(folder)}/.`);
  chmodSync(folderPath(folder), (mode & 0o777) | 0o700);
}

function renameOut(folder: number, name: BytePath, target: string): void {
  try {
    renameSync(at(folder, name), target);
  } catch (cause) {
    if (errnoOf(cause) !== 'EACCES') throw cause;
    // rename(2) writes to the folder it takes from, and to a folder that it moves ("..").
    makeWritable(folder);
    if (lstatSync(at(folder, name)).isDirectory()) {
      const moved = openFolder(folder, name);
      makeWritable(moved);
      closeSync(moved);
    }
    renameSync(at(folder, name), target);
  }
}

const betweenName = /^\.cofferdam-set-aside-[0-9]+$/;

/** What a killed process had taken out of its place, and no further. */
function findBetween(root: number): BytePath[] {
  return readdirSync(folderPath(root), { encoding: 'buffer' })
    .map(fromBytes)
    .filter((name) => betweenName.test(name));
}

/** Whether it was there to be moved. */
async function moveOne(source: string, root: number, path: BytePath, target: string): Promise<boolean> {
  try {
    withParent(root, path, (folder, name) => renameOut(folder, name, target));
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return false;
    if (errnoOf(cause) !== 'EXDEV') throw cause;
  }
  // Out of reach first, under a name that is ours and ASCII; then mv(1), which copies links as links, over to the other device.
  const between = `.cofferdam-set-aside-${process.pid}`;
  withParent(root, path, (folder, name) => renameSync(at(folder, name), at(root, between)));
  await runTool(requireTool('mv', 'coreutils'), ['-T', '--', join(source, between), target], { timeoutMs: 0 });
  return true;
}

/**
 * Moves what is new or changed among the guarded places to `destination`, one numbered folder each, and says what went where.
 * To be called when nothing of the run lives any more. Throws WORKSPACE_INVALID when the folder cannot be looked through, or a
 * place cannot be moved: the folder then must not be used before somebody looked at it.
 */
export async function setAsideNew({ source, before, destination, signal }: SetAsideRequest): Promise<SetAside[]> {
  await openHidden(source);
  const root = openRoot(source);
  const moved: SetAside[] = [];
  try {
    const found = [...findBetween(root), ...(await findNew(source, root, before, signal)).map(({ path }) => path)];
    for (const path of found.slice(0, mostMoved)) {
      const folder = join(destination, String(moved.length + 1).padStart(4, '0'));
      ensureDirectory(folder);
      // The name at the end stays readable without being anything that a tool looks for.
      const kept = join(folder, 'kept');
      if (await moveOne(source, root, path, kept)) moved.push({ path: showPath(path), kept });
    }
    if (found.length > mostMoved) throw new Error(`more than ${mostMoved} places that run code appeared in it`);
  } catch (cause) {
    throw new CofferdamError(
      'WORKSPACE_INVALID',
      `the workspace could not be made safe after the run: ${messageOf(cause)}`,
      {
        cause,
        remedy: 'do not open, enter or build the folder on this host before you looked at it',
        details: moved.map(({ path, kept }) => `${path} was moved to ${kept}`),
      },
    );
  } finally {
    closeSync(root);
  }
  return moved;
}
