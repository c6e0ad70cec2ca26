// Owns locks between processes: flock(2) on a descriptor of ours. The kernel drops it when we die, so none is ever stale.
import { closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { runTool, runToolSync } from './exec.ts';
import { diskError } from './files.ts';

export interface FileLock {
  /** Twice is once. */
  release(): void;
}

const usualPatienceMs = 120_000;

async function takeLock(path: string, flags: number, patienceMs: number, kind: '-x' | '-s'): Promise<FileLock> {
  let fd: number | undefined;
  const release = () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW, 0o600);
    // Whoever can open a file can lock it, reading or not: others must not hold us up.
    if ((flags & constants.O_CREAT) !== 0) fchmodSync(fd, 0o600);
  } catch (cause) {
    release();
    throw diskError(cause, `cannot open the lock ${path}`);
  }
  try {
    await runTool('flock', [kind, '0'], { stdin: fd, timeoutMs: patienceMs });
  } catch (cause) {
    release();
    throw cause;
  }
  return { release };
}

const file = constants.O_RDWR | constants.O_CREAT;

/**
 * Waits for the exclusive lock of a file, which is made when missing and nobody's but ours. Node has no flock(2), but a lock belongs
 * to the open file and not to who took it: flock(1) locks the descriptor that we lend it, and the lock stays with ours. Throws
 * TOOL_FAILED, also after `patienceMs` (0: never) without getting it.
 */
export async function takeFileLock(path: string, patienceMs = usualPatienceMs): Promise<FileLock> {
  return takeLock(path, file, patienceMs, '-x');
}

/** The same, shared with others that take it so. */
export async function takeSharedLock(path: string, patienceMs = usualPatienceMs): Promise<FileLock> {
  return takeLock(path, file, patienceMs, '-s');
}

/** The same for a folder that exists: it makes no file, so it works on a full disk. */
export async function takeFolderLock(folder: string, patienceMs = usualPatienceMs): Promise<FileLock> {
  return takeLock(folder, constants.O_RDONLY | constants.O_DIRECTORY, patienceMs, '-x');
}

/** Whether nobody holds the lock of a file at this moment. */
export function isUnlocked(path: string): boolean {
  return runToolSync('flock', ['-x', '-n', '-E', '75', path, 'true'], { accept: [0, 75] }).exitCode === 0;
}
