// Owns finding the host's programs by absolute path. A plan records these paths; nothing is looked up at launch.
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { systemPath } from '../base/exec.ts';

/** Absolute path of `name` in the system's folders, or undefined. */
export function findTool(name: string): string | undefined {
  for (const folder of systemPath.split(':')) {
    const file = `${folder}/${name}`;
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return realpathSync(file);
    } catch {
      // Not here: look in the next folder.
    }
  }
  return undefined;
}

/** As findTool; throws HOST_UNPREPARED naming the tool and its Debian package. */
export function requireTool(name: string, debianPackage: string): string {
  const file = findTool(name);
  if (file === undefined) {
    throw new CofferdamError('HOST_UNPREPARED', `${name} is not installed`, {
      remedy: `as root: sandbox setup (or: apt-get install ${debianPackage})`,
    });
  }
  return file;
}
