// Owns the folder in which the bridge of a worker host meets one caller: reached by a descriptor, for its path is the caller's to bend.
import { closeSync, constants, fstatSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../../base/errors.ts';
import { ensureDirectory } from '../../base/files.ts';
import type { CallerPlaces } from './systemPlaces.ts';

export interface CallerFolder {
  /** Leads to the folder whatever becomes of its path. Good in this process alone. */
  readonly path: string;
  close(): void;
}

/**
 * Makes the folder, empties it, and makes that of the logs. The gate above is the caller's own, so that a user namespace of
 * theirs passes it too; so they may move ours, or put a link in its place: nothing of ours follows. Throws HOST_UNPREPARED.
 */
export function openCallerFolder({ gate, folder, logs }: CallerPlaces, uid: number): CallerFolder {
  try {
    ensureDirectory(logs);
    try {
      mkdirSync(folder, { mode: 0o711 });
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause;
    }
    const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const path = `/proc/self/fd/${fd}`;
    if (fstatSync(fd).uid !== uid) {
      closeSync(fd);
      throw new Error('it is not ours');
    }
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
    return { path, close: () => closeSync(fd) };
  } catch (cause) {
    throw new CofferdamError('HOST_UNPREPARED', `cannot meet a caller at ${gate}: ${messageOf(cause)}`, {
      remedy: 'as root: sandbox setup --egress',
      cause,
    });
  }
}
