// Owns folders for the time of one process, outside of our own: each names its process, so that what a kill left is found.
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './errors.ts';
import { startTimeOf } from './process.ts';

const prefix = 'cofferdam-tmp-';
const ownName = /^cofferdam-tmp-[a-z]+-([0-9]{1,10})-([0-9]{1,20})-[A-Za-z0-9]{6}$/;

/** Makes `PARENT/cofferdam-tmp-KIND-PID-START-RANDOM`, 0700, for this process; `kind` is lower-case letters. */
export function makeTemporary(parent: string, kind: string): string {
  return mkdtempSync(join(parent, `${prefix}${kind}-${process.pid}-${startTimeOf(process.pid) ?? '0'}-`));
}

/**
 * Removes those of this user whose process is gone, and gives their paths. /tmp is open to all: what somebody else put there
 * under such a name is left alone, and so is a link.
 */
export function sweepTemporaries(parents: readonly string[]): string[] {
  return parents.flatMap((parent) =>
    listFolder(parent).flatMap((name) => {
      const match = ownName.exec(name);
      if (match === null || startTimeOf(Number(match[1])) === match[2]) return [];
      const path = join(parent, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) return [];
      rmSync(path, { recursive: true, force: true });
      return [path];
    }),
  );
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (['ENOENT', 'EACCES'].includes(errnoOf(cause) ?? '')) return [];
    throw cause;
  }
}
