// Owns bringing the changes of a copy into the original folder: checked first, then all or nothing, never through a link.
import { closeSync, constants, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { at, type BytePath, fromBytes, openRoot, showPath, withParent } from './beneath.ts';
import type { Copy } from './copy.ts';
import { type Change, type Changes, openFileBeneath, type Side, sameContent } from './copyChanges.ts';
import { commitChanges } from './copyCommit.ts';
import { findRefusal, type RefusalRules } from './copyRefusals.ts';

export interface Refused {
  readonly path: string;
  readonly why: string;
}

export interface Judged {
  readonly applicable: readonly Change[];
  readonly refused: readonly Refused[];
}

/** Sorts the changes into those that may be applied and those that may not, with the reason. */
export function judgeChanges({ changes, after }: Changes, rules: RefusalRules): Judged {
  const applicable: Change[] = [];
  const refused: Refused[] = [];
  for (const change of changes) {
    const why = findRefusal(change, after, rules);
    if (why === undefined) applicable.push(change);
    else refused.push({ path: showPath(change.path), why });
  }
  return { applicable, refused };
}

function sameSide(original: number, base: number, { path, before }: Change): boolean {
  if (before === undefined) return false;
  return withParent(original, path, (folder, name) => {
    const found = lstatSync(at(folder, name));
    if (before.type === 'link') {
      return (
        found.isSymbolicLink() && fromBytes(readlinkSync(at(folder, name), { encoding: 'buffer' })) === before.target
      );
    }
    if (!found.isFile() || found.size !== before.bytes || (found.mode & 0o100) !== (before.mode & 0o100)) return false;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const left = openSync(at(folder, name), flags);
    const right = openFileBeneath(base, path);
    try {
      return sameContent(left, right);
    } finally {
      closeSync(left);
      closeSync(right);
    }
  });
}

/** Why the original is not what the copy was made from at this path, or undefined. */
function findConflict(
  original: number,
  base: number,
  change: Change,
  deleted: ReadonlySet<BytePath>,
): string | undefined {
  const { path, before } = change;
  try {
    if (before !== undefined)
      return sameSide(original, base, change) ? undefined : 'it has changed since the copy was made';
    withParent(original, path, (folder, name) => lstatSync(at(folder, name)));
    return 'it exists now, and did not when the copy was made';
  } catch (cause) {
    const errno = errnoOf(cause);
    if (before === undefined && errno === 'ENOENT') return undefined;
    // A file or link that this very change takes away may stand where a folder is to be.
    const parents = path.split('/').map((_, i, steps) => steps.slice(0, i).join('/'));
    if (before === undefined && errno === 'ENOTDIR' && parents.some((parent) => deleted.has(parent))) return undefined;
    if (errno === 'ENOENT') return 'it is gone';
    return errno === 'ENOTDIR' || errno === 'ELOOP'
      ? 'a folder on the way to it is a link or a file now'
      : `it cannot be read (${errno})`;
  }
}

function openOriginal(copy: Copy): number {
  const root = openRootOr(copy);
  const found = lstatSync(`/proc/self/fd/${root}/.`, { bigint: true });
  if (String(found.dev) === copy.device && String(found.ino) === copy.inode) return root;
  closeSync(root);
  throw new CofferdamError('COPY_CONFLICT', `${printable(copy.source)} is another folder than the one that was copied`);
}

function openRootOr(copy: Copy): number {
  try {
    return openRoot(copy.source);
  } catch (cause) {
    throw new CofferdamError('COPY_CONFLICT', `${printable(copy.source)} is gone, or is a link now`, { cause });
  }
}

/**
 * Applies `changes`, which judgeChanges let pass, to the folder that was copied. With `dryRun` only the checks. Throws
 * COPY_CONFLICT naming every path where the original is no longer what was copied; nothing is changed then. DISK_FULL and
 * TOOL_FAILED after everything was put back.
 */
export function applyChanges(copy: Copy, changes: readonly Change[], dryRun: boolean): void {
  const original = openOriginal(copy);
  const base = openRoot(copy.base);
  try {
    const deleted = new Set(changes.filter(({ before }) => before !== undefined).map(({ path }) => path));
    const details = changes.flatMap((change) => {
      const why = findConflict(original, base, change, deleted);
      return why === undefined ? [] : [`${showPath(change.path)}: ${why}`];
    });
    if (details.length > 0) {
      throw new CofferdamError(
        'COPY_CONFLICT',
        `${details.length} of ${changes.length} changes do not fit ${printable(copy.source)}`,
        {
          details: details.slice(0, 100),
          remedy: `look at them: sandbox diff ${copy.id}; nothing was changed`,
        },
      );
    }
    if (!dryRun) commitChanges({ original, work: copy.work, id: copy.id, changes });
  } finally {
    closeSync(original);
    closeSync(base);
  }
}

/** Permission bits that an applied file gets: what the guest set, without write access for others and set-id bits. */
export function appliedMode(after: Side): number {
  return (after.mode & 0o755) | 0o600;
}
