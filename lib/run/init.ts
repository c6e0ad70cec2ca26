// Owns our init: a private copy of tini-static, mode 0111, so that the guest can neither read it nor attach to PID 1.
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { diskError, ensureDirectory } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import { requireTool } from '../engine/tools.ts';

/** Path of the copy below our data folder, made when it is missing. Throws HOST_UNPREPARED without tini-static. */
export function ensureInit(paths: Paths): string {
  const source = requireTool('tini-static', 'tini');
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const folder = join(paths.data, 'init');
  const file = join(folder, `tini-${digest}`);
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
