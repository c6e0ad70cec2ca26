// Owns taking images out of a store, and knowing whether a sandbox still runs on one.
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { imageDirectory } from './find.ts';
import { removeTree, withStore } from './partial.ts';
import { type ImageRecord, readRegistry, writeRegistry } from './registry.ts';

/** Pids whose mounts show the image in `directory`. Processes of other users cannot be seen by a plain user. */
export function usersOf(directory: string, proc = '/proc'): number[] {
  const found: number[] = [];
  for (const name of readdirSync(proc)) {
    if (!/^[0-9]+$/.test(name)) continue;
    let mounts: string;
    try {
      mounts = readFileSync(join(proc, name, 'mountinfo'), 'utf8');
    } catch {
      // It ended, or is not ours to look at.
      continue;
    }
    // Field 4 is the path within the file system: its end is ours, wherever that file system is mounted.
    const ending = directory.split('/').slice(-2).join('/');
    const used = mounts.split('\n').some((line) => {
      const root = line.split(' ')[3] ?? '';
      return root.endsWith(`/${ending}`) || root.includes(`/${ending}/`);
    });
    if (used) found.push(Number(name));
  }
  return found;
}

/** Whether something is wanted gone: by name and digest, or all but the newest of a name. */
export function chooseRecords(
  records: readonly ImageRecord[],
  wanted: { name: string; digest?: string | undefined; old?: boolean | undefined },
): ImageRecord[] {
  const ofName = records.filter((record) => record.name === wanted.name);
  if (wanted.old === true) return ofName.slice(0, -1);
  return ofName.filter((record) => wanted.digest === undefined || record.digest.startsWith(wanted.digest));
}

/**
 * Removes `records` from `store`: first out of the registry, then away. Throws IMAGE_IN_USE while a sandbox that we can
 * see runs on one, unless `force`.
 */
export async function removeImages(
  store: string,
  records: readonly ImageRecord[],
  force: boolean,
  proc = '/proc',
): Promise<void> {
  await withStore(store, () => {
    const registry = readRegistry(store);
    for (const record of records) {
      const directory = imageDirectory(store, record.name, record.digest);
      const users = force ? [] : usersOf(directory, proc);
      if (users.length === 0) continue;
      throw new CofferdamError('IMAGE_IN_USE', `${record.name} ${record.digest} is in use by pid ${users.join(', ')}`);
    }
    const gone = new Set(records.map((record) => `${record.name} ${record.digest}`));
    const left = registry.images.filter((record) => !gone.has(`${record.name} ${record.digest}`));
    writeRegistry(store, { format: 1, images: left });
    for (const record of records) {
      const directory = imageDirectory(store, record.name, record.digest);
      if (!existsSync(directory)) continue;
      // Out of the way in one step: what is half removed must not look like an image.
      const aside = join(store, `.partial-removed-${record.digest.slice(7, 23)}-${process.pid}`);
      try {
        renameSync(directory, aside);
      } catch (cause) {
        throw diskError(cause, `cannot remove ${directory}`);
      }
      removeTree(aside);
    }
  });
}
