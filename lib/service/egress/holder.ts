// Owns seeing whether a sandbox lives: by the fifo that its supervisor holds open for writing, and the kernel closes.
import { constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { errnoOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';

export interface Holder {
  /** Whether somebody holds it now. */
  isHeld(): boolean;
  close(): void;
}

/** Makes the fifo. Throws TOOL_FAILED. */
export async function makeHold(file: string): Promise<void> {
  await runTool('mkfifo', ['-m', '0600', file]);
}

function hasWriter(fd: number): boolean {
  try {
    // Nobody has a reason to write. 0 is the end: there is no writer (fifo(7)).
    return readSync(fd, Buffer.alloc(1), 0, 1, null) !== 0;
  } catch (cause) {
    return errnoOf(cause) === 'EAGAIN';
  }
}

/**
 * Watches a fifo; `onGone` is called once, when who held it has ended. Nobody may hold it yet: then it waits for the first. So whoever
 * opens it when that was long ago asks `isHeld` first: of a writer that came and went before, the kernel tells nothing.
 */
export function watchHold(file: string, onGone: () => void): Holder {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  const socket = new Socket({ fd, readable: true, writable: false });
  let open = true;
  const end = () => {
    if (!open) return;
    open = false;
    socket.destroy();
    onGone();
  };
  socket.on('error', end).on('end', end).on('close', end).resume();
  return {
    isHeld: () => open && hasWriter(fd),
    close() {
      open = false;
      socket.destroy();
    },
  };
}
