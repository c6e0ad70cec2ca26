// Owns that one process at a time starts or removes a sandbox.
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { type FileLock, takeFileLock } from '../../base/lock.ts';
import type { Paths } from '../../base/paths.ts';
import { readSandbox, type Sandbox, sandboxFolder } from './sandbox.ts';

export interface LockedSandbox extends FileLock {
  /** As it is now that nobody else changes it. */
  readonly sandbox: Sandbox;
}

function gone({ name }: Sandbox): CofferdamError {
  return new CofferdamError('SANDBOX_UNKNOWN', `${name} was removed meanwhile`);
}

/** Waits for the lock of a sandbox. Throws SANDBOX_UNKNOWN when it is removed meanwhile. */
export async function lockSandbox(paths: Paths, known: Sandbox): Promise<LockedSandbox> {
  const lock = await takeFileLock(join(sandboxFolder(paths, known.id), 'lock')).catch((error: unknown) => {
    throw readSandbox(paths, known.id) === undefined ? gone(known) : error;
  });
  try {
    const sandbox = readSandbox(paths, known.id);
    if (sandbox === undefined) throw gone(known);
    return { ...lock, sandbox };
  } catch (error) {
    lock.release();
    throw error;
  }
}
