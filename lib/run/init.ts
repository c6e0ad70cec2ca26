// Owns placing our init (lib/run/native/init), which is mounted into every sandbox: a private copy, mode 0111, so that the guest can neither read it nor attach to PID 1.
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, lstatSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { diskError, ensureDirectory } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';

// The program sees this path in /proc/self/mountinfo: root's copy names nobody's home.
function findShared(paths: Paths, name: string): string | undefined {
  const store = paths.imageStores.at(-1);
  if (store === undefined) return undefined;
  const file = join(dirname(store), 'init', name);
  const found = lstatSync(file, { throwIfNoEntry: false });
  return found?.isFile() && found.uid === 0 && (found.mode & 0o7777) === 0o111 ? file : undefined;
}

/** Path of root's copy, or of one below our data folder, made when it is missing. Throws HOST_UNPREPARED when it is not built. */
export function ensureInit(paths: Paths): string {
  const source = join(paths.install, 'dist', 'native', 'init');
  if (!existsSync(source))
    throw new CofferdamError('HOST_UNPREPARED', `${source} is missing`, {
      remedy: join(paths.install, 'bin', 'setup'),
    });
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const name = `init-${digest}`;
  const shared = findShared(paths, name);
  if (shared !== undefined) return shared;
  const folder = join(paths.data, 'init');
  const file = join(folder, name);
  if (existsSync(file)) return file;
  const beside = `${file}.${process.pid}.new`;
  try {
    ensureDirectory(folder, 0o755);
    chmodSync(folder, 0o755);
    copyFileSync(source, beside);
    chmodSync(beside, 0o111);
    renameSync(beside, file);
  } catch (cause) {
    rmSync(beside, { force: true });
    throw diskError(cause, `cannot copy ${source}`);
  }
  return file;
}
