// Owns placing what is mounted into every sandbox: an empty folder, and our init (lib/run/native/init): a private copy, mode 0111, so that the guest can neither read it nor attach to PID 1.
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
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

const isEmpty = (folder: string, uid: number) => {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === uid && readdirSync(folder).length === 0;
};

/** An empty folder, root's or below our data folder, made when it is missing. Throws HOST_UNPREPARED when something lies in it. */
export function ensureEmpty(paths: Paths, uid: number): string {
  const store = paths.imageStores.at(-1);
  const shared = store === undefined ? undefined : join(dirname(store), 'empty');
  if (shared !== undefined && isEmpty(shared, 0)) return shared;
  const folder = join(paths.data, 'empty');
  ensureDirectory(folder, 0o555);
  if (isEmpty(folder, uid)) return folder;
  throw new CofferdamError('HOST_UNPREPARED', `${folder} is not empty, or not ours`, { remedy: `ls -la ${folder}` });
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
