// Owns locks of a store. The kernel drops them when their holder dies, so there is no stale lock to judge.
import { chmodSync, closeSync, openSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { runToolSync, streamTool, systemPath } from '../base/exec.ts';
import { diskError } from '../base/files.ts';
import { printable } from '../base/printable.ts';

export interface HeldLock {
  release(): Promise<void>;
}

/** Whoever can open a file can lock it, reading or not: others must not hold up our builds. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (cause) {
    throw diskError(cause, `cannot make ${file}`);
  }
}

/**
 * Takes flock(2) on `file`, which is made when missing, and waits for it. Node has no flock: a child holds it until the pipe
 * from us closes, which our death does too. Throws TOOL_FAILED.
 */
export async function takeLock(file: string, kind: 'exclusive' | 'shared'): Promise<HeldLock> {
  makePrivate(file);
  let tell = () => {};
  let said = '';
  const locked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const holder = streamTool(
    'flock',
    // Signals of the terminal's group must not drop the lock while we clean up.
    [kind === 'exclusive' ? '-x' : '-s', '-F', file, 'sh', '-c', 'trap "" HUP INT TERM; echo locked; exec cat'],
    {
      env: { PATH: systemPath },
      stdin: 'hold',
      stdout: () => tell(),
      stderr: (chunk) => {
        said = `${said}${Buffer.from(chunk).toString()}`.slice(0, 400);
      },
      detached: 'group',
    },
  );
  const died = holder.ended.then(({ startError }) => {
    throw new CofferdamError('TOOL_FAILED', `cannot lock ${file}: ${printable(startError ?? said)}`);
  });
  await Promise.race([locked, died]);
  died.catch(() => {});
  return {
    release: async () => {
      holder.release();
      await holder.ended;
    },
  };
}

/** Runs `act` under the exclusive lock `file`. */
export async function withLock<T>(file: string, act: () => T | Promise<T>): Promise<T> {
  const lock = await takeLock(file, 'exclusive');
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

/** Whether nobody holds `file` at this moment. */
export function isUnlocked(file: string): boolean {
  return runToolSync('flock', ['-x', '-n', '-E', '75', file, 'true'], { accept: [0, 75] }).exitCode === 0;
}
