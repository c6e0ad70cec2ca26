// Owns three folders of ours that are mounted into sandboxes: an empty one, and the outlines of /dev and /sys.
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, readlinkSync, type Stats, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { diskError, ensureDirectory } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import type { Covers } from '../engine/types.ts';
import { devFolder, devOutline, type Outline } from '../spec/dev.ts';
import { sysFolders } from '../spec/sys.ts';

interface Cover {
  /** Of the folder. */
  readonly name: string;
  readonly outline: Outline;
}

/** Every folder below one that has `leaves`, sorted. */
function withParents(leaves: readonly string[]): string[] {
  const all = leaves.flatMap((leaf) => leaf.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/')));
  return [...new Set(all)].sort();
}

/** What stands at a path: `folder`, `file` when it is empty, `-> TARGET`; undefined for all else. */
function kindOf(path: string, found: Stats): string | undefined {
  if (found.isDirectory()) return 'folder';
  if (found.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
  return found.isFile() && found.size === 0 ? 'file' : undefined;
}

/** Path below the folder, of which that itself is `''` → what stands there. */
function kindsOf({ folders, files, links }: Outline): Map<string, string> {
  return new Map([
    ...['', ...withParents(folders)].map((path) => [path, 'folder'] as const),
    ...files.map((path) => [path, 'file'] as const),
    ...Object.entries(links).map(([path, target]) => [path, `-> ${target}`] as const),
  ]);
}

function holdsOnly(folder: string, outline: Outline, uid: number): boolean {
  const wanted = [...kindsOf(outline)];
  const areOurs = wanted.every(([path, kind]) => {
    const at = join(folder, path);
    const found = lstatSync(at, { throwIfNoEntry: false });
    return found?.uid === uid && kindOf(at, found) === kind;
  });
  if (!areOurs) return false;
  // Folder by folder: asked for all at once, Node goes where links lead.
  const inside = wanted.flatMap(([path, kind]) => (kind === 'folder' ? readdirSync(join(folder, path)) : []));
  return inside.length === wanted.length - 1;
}

/** What another process of ours made meanwhile is as good; what anybody else did is seen by `holdsOnly`. */
function makeIfMissing(path: string, make: (path: string) => void): void {
  try {
    make(path);
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw diskError(cause, `cannot make ${path}`);
  }
}

function make(folder: string, { folders, files, links }: Outline): void {
  for (const path of ['', ...withParents(folders)]) ensureDirectory(join(folder, path), 0o755);
  for (const path of files)
    makeIfMissing(join(folder, path), (at) => writeFileSync(at, '', { flag: 'wx', mode: 0o444 }));
  for (const [path, target] of Object.entries(links))
    makeIfMissing(join(folder, path), (at) => symlinkSync(target, at));
}

// The program sees the path in /proc/self/mountinfo: root's names nobody's home.
function ensureCover(paths: Paths, uid: number, { name, outline }: Cover): string {
  const store = paths.imageStores.at(-1);
  const shared = store === undefined ? undefined : join(dirname(store), name);
  if (shared !== undefined && holdsOnly(shared, outline, 0)) return shared;
  const folder = join(paths.data, name);
  make(folder, outline);
  if (holdsOnly(folder, outline, uid)) {
    // The process's umask may have taken bits away.
    for (const path of ['', ...withParents(outline.folders)]) chmodSync(join(folder, path), 0o755);
    for (const path of outline.files) chmodSync(join(folder, path), 0o444);
    return folder;
  }
  throw new CofferdamError('HOST_UNPREPARED', `${folder} holds what is not of our making, or is not ours`, {
    remedy: `look at it, and move it away: ls -lAR ${folder}`,
  });
}

/** All of them, root's or below our data folder, made when they are missing. Throws HOST_UNPREPARED when something else lies in them, DISK_FULL. */
export function ensureCovers(paths: Paths, uid: number): Covers {
  // Another version has another outline.
  const digest = createHash('sha256').update(sysFolders.join()).digest('hex').slice(0, 8);
  const cover = (name: string, outline: Partial<Outline>) =>
    ensureCover(paths, uid, { name, outline: { folders: [], files: [], links: {}, ...outline } });
  return {
    empty: cover('empty', {}),
    dev: cover(devFolder(), devOutline),
    sys: cover(`sys-${digest}`, { folders: sysFolders }),
  };
}
