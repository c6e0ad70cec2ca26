// Owns locks between processes: flock(2) on a descriptor of ours. The kernel drops it when we die, so none is ever stale.
import { closeSync, constants, openSync } from 'node:fs';
import { runTool } from './exec.ts';
import { diskError } from './files.ts';

export interface FileLock {
  /** Twice is once. */
  release(): void;
}

/**
 * Waits for the exclusive lock of `file`, which is made when missing. Node has no flock(2), but a lock belongs to the open
 * file and not to who took it: flock(1) locks the descriptor that we lend it, and the lock stays with ours. Throws
 * TOOL_FAILED, also after `patienceMs` without getting it.
 */
export async function takeFileLock(file: string, patienceMs = 120_000): Promise<FileLock> {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw diskError(cause, `cannot open the lock ${file}`);
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
