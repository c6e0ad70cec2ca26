// Owns changing a file of rules on disk: one writer at a time, whole or not at all.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ensureDirectory, writeFileAtomic } from '../base/files.ts';
import { takeFolderLock } from '../base/lock.ts';
import { followPolicyLink, type PolicySource, readPolicyText } from './load.ts';

// Root's is for all to read, as its config.yaml is: a user may ask what the host forbids.
function modeOf(file: string, uid: number): number {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? (uid === 0 ? 0o644 : 0o600) : found.mode & 0o755;
}

/**
 * Gives `change` the text (undefined: there is no file) while nobody else can change it, and writes the one that comes back; undefined
 * leaves the file as it is. Throws what `change` and writing throw (CONFIG_UNREADABLE, DISK_FULL, TOOL_FAILED); nothing is written then.
 */
export async function rewriteFile<T>(
  { file, uid }: PolicySource,
  change: (text: string | undefined) => { readonly text: string | undefined; readonly result: T },
): Promise<T> {
  const folder = dirname(file);
  ensureDirectory(folder, uid === 0 ? 0o755 : 0o700);
  const lock = await takeFolderLock(followPolicyLink(folder));
  try {
    const { text, result } = change(readPolicyText({ file, uid }));
    const target = followPolicyLink(file);
    if (text !== undefined) writeFileAtomic(target, text, modeOf(target, uid));
    return result;
  } finally {
    lock.release();
  }
}
