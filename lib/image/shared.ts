// Owns making what every user of the host may read: modes are set outright, since a caller's umask may be 077.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { diskError } from '../base/files.ts';

/** Makes one folder with exactly `mode`; an existing one is an error. */
export function makeSharedFolder(folder: string, mode = 0o755): void {
  mkdirSync(folder, { mode });
  chmodSync(folder, mode);
}

/** Makes `folder` and what is missing above it, 0755 each. Throws DISK_FULL or TOOL_FAILED. */
export function ensureSharedFolder(folder: string): void {
  if (existsSync(folder)) return;
  ensureSharedFolder(dirname(folder));
  try {
    makeSharedFolder(folder);
  } catch (cause) {
    // Another build may have made it between the look and the act.
    if (!existsSync(folder)) throw diskError(cause, `cannot make ${folder}`);
  }
}

/** Writes a file that all may read. */
export function writeSharedFile(file: string, content: string): void {
  writeFileSync(file, content);
  chmodSync(file, 0o644);
}
