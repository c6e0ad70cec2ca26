// Owns which host folder may be a workspace, and how. The checks are a list; each says why it refuses and what to do.
import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import type { HostIds } from '../spec/uidmap.ts';
import { showPath } from './beneath.ts';
import { type Claim, claimFolder } from './claims.ts';
import { findEntries } from './findEntries.ts';
import { runFolders } from './folders.ts';
import { findGuarded, type Guarded, type GuardedMarks } from './guarded.ts';
import { isGuardedName } from './guardedPlaces.ts';
import { findPlaceFault } from './hostPlaces.ts';

export type WorkspaceMode = 'ro' | 'rw' | 'copy';

/** `DIR[:ro|rw|copy]`; the mode is what stands behind the last colon, so a folder called `x:ro` is written `x:ro:ro`. */
export function parseWorkspace(text: string): { source: string; mode: WorkspaceMode | undefined } {
  const match = /^(.*):(ro|rw|copy)$/s.exec(text);
  const source = match === null ? text : (match[1] ?? '');
  if (source === '') {
    throw new CofferdamError('WORKSPACE_INVALID', '--workspace names no folder', {
      remedy: '--workspace DIR, --workspace DIR:ro, DIR:rw or DIR:copy',
    });
  }
  return { source, mode: match === null ? undefined : (match[2] as WorkspaceMode) };
}

export interface WorkspaceRequest {
  /** As the caller wrote it. */
  readonly source: string;
  readonly mode: WorkspaceMode;
  readonly cwd: string;
  readonly ids: HostIds;
  readonly paths: Paths;
  /** $HOME of the caller; the account's own home counts as well. */
  readonly home: string | undefined;
  readonly signal: AbortSignal;
}

export interface CheckedWorkspace {
  /** Absolute, no link in it, UTF-8 without control characters. */
  readonly source: string;
  readonly ownerUid: number;
  /** For a plain user its own group: no other can be mapped. */
  readonly ownerGid: number;
  /** rw only: paths below it that become read-only mounts. */
  readonly guarded: readonly string[];
  /** rw only: for setAsideNew after the run. */
  readonly marks: GuardedMarks;
  /** To be armed before a start in rw, and released in any case, at the latest when the sandbox is gone. */
  readonly claim: Claim;
}

function invalid(message: string, remedy?: string): CofferdamError {
  return new CofferdamError('WORKSPACE_INVALID', message, remedy === undefined ? {} : { remedy });
}

/** The folder itself, no link: absolute and real. */
function resolveFolder(source: string, cwd: string): { path: string; found: Stats } {
  if (/[\u0000-\u001f\u007f\ufffd]/.test(source)) {
    throw invalid(
      `the workspace path "${printable(source)}" holds a control character or is not UTF-8`,
      'rename the folder',
    );
  }
  // Without its trailing slash or dot, which would make the kernel follow a link.
  const named = resolve(cwd, source);
  try {
    const found = lstatSync(named);
    if (found.isSymbolicLink()) {
      const target = resolve(named, '..', readlinkSync(named));
      throw invalid(
        `the workspace ${printable(named)} is a symbolic link`,
        `name the folder itself: ${printable(target)}`,
      );
    }
    if (!found.isDirectory()) throw invalid(`the workspace ${printable(named)} is not a folder`);
    const path = realpathSync(named);
    if (/[\u0000-\u001f\u007f\ufffd]/.test(path)) {
      throw invalid(`the workspace lies in ${printable(path)}, which holds a control character or is not UTF-8`);
    }
    return { path, found };
  } catch (cause) {
    if (cause instanceof CofferdamError) throw cause;
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') {
      throw invalid(`the workspace ${printable(named)} does not exist`, `make it: mkdir -p ${printable(named)}`);
    }
    throw new CofferdamError(
      'WORKSPACE_INVALID',
      `the workspace ${printable(named)} cannot be reached (${errnoOf(cause)})`,
      {
        cause,
      },
    );
  }
}

function checkOwner(path: string, found: Stats, { ids, mode }: WorkspaceRequest): void {
  if (mode !== 'rw') return;
  const copy = 'use a copy (:copy), or a folder of your own';
  if (ids.callerUid !== 0) {
    if (found.uid !== ids.callerUid) throw invalid(`${printable(path)} belongs to uid ${found.uid}, not to you`, copy);
    return;
  }
  if (found.uid === 0 || found.gid === 0) {
    const whom = found.uid === 0 ? 'root' : 'the group root';
    throw invalid(
      `${printable(path)} belongs to ${whom}, and host id 0 is in no sandbox`,
      'chown it to a user, or use :copy',
    );
  }
  const { start, count } = ids.subuids;
  if (found.uid >= start && found.uid < start + count) {
    throw invalid(`${printable(path)} belongs to uid ${found.uid}, which is a sandbox's own`, 'chown it to a user');
  }
}

// The program has an id of its own in ro, so it is "others"; run by root, so is root inside, which mounts the folder.
function checkReach(path: string, found: Stats, { ids, mode }: WorkspaceRequest): void {
  if (mode !== 'ro') return;
  if ((found.mode & 0o005) !== 0o005) {
    throw invalid(
      `${printable(path)} cannot be read by others, so not by the sandbox`,
      `chmod o+rx ${printable(path)}, or use :copy`,
    );
  }
  if (ids.callerUid !== 0) return;
  for (let parent = resolve(path, '..'); parent !== '/'; parent = resolve(parent, '..')) {
    if ((statSync(parent).mode & 0o001) === 0) {
      throw invalid(
        `${printable(parent)} cannot be passed by others, so the sandbox cannot reach ${printable(path)}`,
        `chmod o+x ${printable(parent)}, or use :copy`,
      );
    }
  }
}

// A folder below `.git`, or one that is guarded as a whole, has nothing in it that a guest may write.
function checkNotGuarded(path: string, { mode }: WorkspaceRequest): void {
  if (mode !== 'rw') return;
  const inGit = resolve(path, '..')
    .split('/')
    .some((step) => step.toLowerCase() === '.git');
  if (inGit || isGuardedName(basename(path))) {
    throw invalid(`${printable(path)} runs code on this host and is never writable for a sandbox`, 'use :ro or :copy');
  }
}

const specialTests = ['-type', 's', '-o', '-type', 'p', '-o', '-type', 'b', '-o', '-type', 'c'];
const specialNames: Readonly<Record<string, string>> = { s: 'socket', p: 'fifo', b: 'device', c: 'device' };

// A socket or fifo leads to whoever holds its other end on the host; a mount does not stand in between.
async function checkSpecials(path: string, signal: AbortSignal): Promise<void> {
  const found = await findEntries({ root: path, tests: specialTests, signal });
  if (found.length === 0) return;
  const some = found.slice(0, 3).map((entry) => `${showPath(entry.path)} (${specialNames[entry.type]})`);
  const more = found.length > 3 ? ` and ${found.length - 3} more` : '';
  throw invalid(
    `${printable(path)} holds sockets, fifos or devices: ${some.join(', ')}${more}`,
    'remove them, or name another folder',
  );
}

/**
 * The folder, judged for `mode` and claimed. Throws WORKSPACE_INVALID with the reason and what to do, and WORKSPACE_IN_USE.
 *
 * Names are judged here and used later by the runtime. Guests are kept from swapping them in between by claims; the folder
 * is compared once more at the end. Whoever may still swap a parent folder after that has the caller's uid, or
 * root's, and needs no sandbox (DESIGN.md, adversaries).
 */
export async function checkWorkspace(request: WorkspaceRequest): Promise<CheckedWorkspace> {
  const { mode, ids, paths: own, home } = request;
  const { path, found } = resolveFolder(request.source, request.cwd);
  const fault = await findPlaceFault({ path, paths: own, home, uids: [ids.callerUid, found.uid] });
  if (fault !== undefined) throw invalid(`${printable(path)} ${fault.why}`, fault.remedy);
  checkNotGuarded(path, request);
  checkOwner(path, found, request);
  checkReach(path, found, request);
  const claim = claimFolder({
    claims: join(own.state, 'claims'),
    records: runFolders(own).records,
    source: path,
    mode,
  });
  try {
    const guarded = await checkContents(path, found, request);
    const ownerGid = ids.callerUid === 0 ? found.gid : ids.callerGid;
    return { source: path, ownerUid: found.uid, ownerGid, guarded: guarded.paths, marks: guarded.marks, claim };
  } catch (cause) {
    claim.release();
    throw cause;
  }
}

async function checkContents(path: string, found: Stats, { mode, signal }: WorkspaceRequest): Promise<Guarded> {
  await checkSpecials(path, signal);
  const none = { paths: [], marks: { places: new Map(), expected: [] } };
  const guarded = mode === 'rw' ? await findGuarded(path, signal) : none;
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now === undefined || now.dev !== found.dev || now.ino !== found.ino || realpathSync(path) !== path) {
    throw invalid(`${printable(path)} was replaced while it was being checked`, 'try again');
  }
  return guarded;
}
