// Owns the step for the system's folders: root's, readable by everybody, writable by nobody else.
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import type { Step } from './step.ts';

function isReady(folder: string): boolean {
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === 0 && (found.mode & 0o7777) === 0o755;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return false;
    throw cause;
  }
}

/** Host configuration, and images that runs of every user of the host read. */
export function folderStep(
  folders: readonly string[] = ['/etc/cofferdam', '/var/lib/cofferdam', '/var/lib/cofferdam/images'],
): Step {
  return {
    id: 'folders',
    title: 'folders of the system',
    async missing() {
      const lacks = folders.filter((folder) => !isReady(folder));
      return lacks.length === 0 ? undefined : lacks.join(' ');
    },
    async apply() {
      for (const folder of folders) {
        mkdirSync(folder, { recursive: true, mode: 0o755 });
        chownSync(folder, 0, 0);
        chmodSync(folder, 0o755);
      }
    },
  };
}
