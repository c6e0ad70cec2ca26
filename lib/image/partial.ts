// Owns the place beside a store's images where a build works: gone when the build ends, and swept when it died.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { runToolSync } from '../base/exec.ts';
import { diskError } from '../base/files.ts';
import { type FileLock, isUnlocked, takeFileLock, takeSharedLock } from '../base/lock.ts';
import type { BuildUser } from './builduser.ts';
import { ensureSharedFolder, makeSharedFolder } from './shared.ts';

export interface Partial {
  /** The finished image is put together here and renamed into the store. */
  readonly image: string;
  /** Belongs to the build user, reachable by its subordinate uids. */
  readonly work: string;
  /** Held for as long as anything of this build lives. */
  readonly lockFile: string;
  close(): Promise<void>;
}

const prefix = '.partial-';

/** Runs `act` while nobody else changes the store. Others may copy a whole image meanwhile: it waits as long as that takes. */
export async function withStore<T>(store: string, act: () => T | Promise<T>): Promise<T> {
  const lock = await takeFileLock(join(store, '.lock'), 0);
  try {
    return await act();
  } finally {
    lock.release();
  }
}

/**
 * Removes a tree that may hold folders of the caller's subordinate uids. rm walks by descriptors, so a tree that changes
 * under it cannot lead it elsewhere. Throws TOOL_FAILED.
 */
export function removeTree(folder: string): void {
  const rm = ['rm', '-rf', '--one-file-system', '--', folder] as const;
  const [tool, ...args] = rm;
  runToolSync(tool, args, { accept: [0, 1], timeoutMs: 300_000 });
  if (existsSync(folder)) runToolSync('unshare', ['--map-auto', '--map-root-user', ...rm], { timeoutMs: 300_000 });
}

function sweep(store: string, uid: number): void {
  for (const name of readdirSync(store).filter((entry) => entry.startsWith(prefix))) {
    const lock = join(store, name, 'lock');
    // Made and locked under the store's lock, which we hold: without a lock it is dead.
    if (existsSync(lock) && !isUnlocked(lock)) continue;
    removeTree(join(store, name));
    const outside = outsideWork(name, uid);
    // /var/tmp is open to all: a plain user leaves alone what somebody else put there under this name.
    const found = lstatSync(outside, { throwIfNoEntry: false });
    if (found !== undefined && (uid === 0 || found.uid === uid)) removeTree(outside);
  }
}

function outsideWork(name: string, uid: number): string {
  return `/var/tmp/cofferdam-${uid}-${name.slice(prefix.length)}`;
}

/** Whether other uids may walk down to `folder`: subordinate uids must reach the tree they build. */
function isTraversable(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === '/') return true;
  }
}

/** Opens a place for one build in `store`, after sweeping those of dead ones. Throws DISK_FULL, TOOL_FAILED. */
export async function openPartial(store: string, uid: number, user: BuildUser): Promise<Partial> {
  ensureSharedFolder(store);
  const name = `${prefix}${randomBytes(8).toString('hex')}`;
  const folder = join(store, name);
  const lockFile = join(folder, 'lock');
  const work = isTraversable(store) ? join(folder, 'work') : outsideWork(name, uid);
  const lock = await withStore(store, async (): Promise<FileLock> => {
    sweep(store, uid);
    try {
      makeSharedFolder(folder);
      const held = await takeSharedLock(lockFile);
      makeSharedFolder(work, 0o711);
      makeSharedFolder(join(folder, 'image'));
      if (uid === 0) chownSync(work, user.uid, user.gid);
      return held;
    } catch (cause) {
      throw cause instanceof CofferdamError ? cause : diskError(cause, `cannot make ${folder}`);
    }
  });
  return {
    image: join(folder, 'image'),
    work,
    lockFile,
    close: async () => {
      removeTree(work);
      removeTree(folder);
      lock.release();
    },
  };
}
