// Owns whether the original folder still is what a copy was made from, at the places that a change touches.
import { closeSync, constants, lstatSync, openSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { at, type BytePath, fromBytes, withParent } from './beneath.ts';
import { type Change, sameAsBeneath } from './copyChanges.ts';

/** Whether `name` in an open folder is, in type, content and executability, what the base (open) has at the change's path. */
export function matchesBase(folder: number, name: BytePath, base: number, { path, before }: Change): boolean {
  if (before === undefined) return false;
  const found = lstatSync(at(folder, name));
  if (before.type === 'link') {
    return (
      found.isSymbolicLink() && fromBytes(readlinkSync(at(folder, name), { encoding: 'buffer' })) === before.target
    );
  }
  if (!found.isFile() || found.size !== before.bytes || (found.mode & 0o100) !== (before.mode & 0o100)) return false;
  const left = openSync(at(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return sameAsBeneath(left, base, path);
  } finally {
    closeSync(left);
  }
}

/**
 * Why the original (open) is not what was copied at this path, or undefined. `taken`: the paths that the same changes take
 * away, where a folder may be made.
 */
export function findConflict(
  original: number,
  base: number,
  change: Change,
  taken: ReadonlySet<BytePath>,
): string | undefined {
  const { path, before } = change;
  try {
    return withParent(original, path, (folder, name) => {
      if (before !== undefined)
        return matchesBase(folder, name, base, change) ? undefined : 'it has changed since the copy was made';
      const found = lstatSync(at(folder, name));
      // Deleting all files in a folder deletes it, so that a file can stand there; whether it is empty then shows later.
      return found.isDirectory() ? undefined : 'it exists now, and did not when the copy was made';
    });
  } catch (cause) {
    const errno = errnoOf(cause);
    if (before === undefined && errno === 'ENOENT') return undefined;
    const parents = path.split('/').map((_, i, steps) => steps.slice(0, i).join('/'));
    if (before === undefined && errno === 'ENOTDIR' && parents.some((parent) => taken.has(parent))) return undefined;
    if (errno === 'ENOENT') return 'it is gone';
    return errno === 'ENOTDIR' || errno === 'ELOOP'
      ? 'a folder on the way to it is a link or a file now'
      : `it cannot be read (${errno ?? 'unknown reason'})`;
  }
}
