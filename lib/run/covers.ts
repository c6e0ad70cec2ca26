// Owns two folders of ours that are mounted into sandboxes: an empty one, and the outline of /sys.
import { createHash } from 'node:crypto';
import { chmodSync, type Dirent, lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { ensureDirectory } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import type { Covers } from '../engine/types.ts';
import { sysFolders } from '../spec/sys.ts';

/** Every folder below one that has `leaves`, sorted. */
function withParents(leaves: readonly string[]): string[] {
  const all = leaves.flatMap((leaf) => leaf.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/')));
  return [...new Set(all)].sort();
}

function holdsOnly(folder: string, wanted: readonly string[], uid: number): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || found.uid !== uid) return false;
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const pathOf = ({ parentPath, name }: Dirent) => join(parentPath, name).slice(folder.length + 1);
  return entries.every((entry) => entry.isDirectory()) && entries.map(pathOf).sort().join() === wanted.join();
}

// The program sees the path in /proc/self/mountinfo: root's names nobody's home.
function ensureCover(paths: Paths, uid: number, name: string, leaves: readonly string[]): string {
  const wanted = withParents(leaves);
  const store = paths.imageStores.at(-1);
  const shared = store === undefined ? undefined : join(dirname(store), name);
  if (shared !== undefined && holdsOnly(shared, wanted, 0)) return shared;
  const folder = join(paths.data, name);
  const all = ['', ...wanted].map((path) => join(folder, path));
  for (const path of all) ensureDirectory(path, 0o755);
  if (holdsOnly(folder, wanted, uid)) {
    // The process's umask may have taken bits away.
    for (const path of all) chmodSync(path, 0o755);
    return folder;
  }
  throw new CofferdamError('HOST_UNPREPARED', `${folder} holds what is not of our making, or is not ours`, {
    remedy: `look at it, and move it away: ls -lAR ${folder}`,
  });
}

/** Both, root's or below our data folder, made when they are missing. Throws HOST_UNPREPARED when something else lies in them, DISK_FULL. */
export function ensureCovers(paths: Paths, uid: number): Covers {
  // Another version has another outline.
  const digest = createHash('sha256').update(sysFolders.join()).digest('hex').slice(0, 8);
  return { empty: ensureCover(paths, uid, 'empty', []), sys: ensureCover(paths, uid, `sys-${digest}`, sysFolders) };
}
