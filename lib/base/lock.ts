// Owns locks between processes: flock(2) on a descriptor of ours. The kernel drops it when we die, so none is ever stale.
import { closeSync, constants, openSync } from 'node:fs';
import { runTool } from './exec.ts';
import { diskError } from './files.ts';

export interface FileLock {
  /** Twice is once. */
  release(): void;
}

async function takeLock(path: string, flags: number, patienceMs: number): Promise<FileLock> {
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw diskError(cause, `cannot open the lock ${path}`);
  }
  let open = true;
  const release = () => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    await runTool('flock', ['-x', '0'], { stdin: fd, timeoutMs: patienceMs });
  } catch (cause) {
    release();
    throw cause;
  }
  return { release };
}

/**
 * Waits for the exclusive lock of `file`, which is made when missing. Node has no flock(2), but a lock belongs to the open
 * file and not to who took it: flock(1) locks the descriptor that we lend it, and the lock stays with ours. Throws
 * TOOL_FAILED, also after `patienceMs` without getting it.
 */
export async function takeFileLock(file: string, patienceMs = 120_000): Promise<FileLock> {
  return takeLock(file, constants.O_RDWR | constants.O_CREAT, patienceMs);
}

/** The same for a folder that exists: it makes no file, so it works on a full disk. */
export async function takeFolderLock(folder: string, patienceMs = 120_000): Promise<FileLock> {
  return takeLock(folder, constants.O_RDONLY | constants.O_DIRECTORY, patienceMs);
}
