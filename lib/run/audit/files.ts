// Owns which files the audit log consists of: audit.1.log, audit.2.log, … and audit.log, which is written to.
import { closeSync, constants, fstatSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { listIfPresent, syncDirectory } from '../../base/files.ts';
import { type LogLine, readLines } from '../../base/lines.ts';
import { longestLine } from './line.ts';

const rotatedName = /^audit\.([1-9][0-9]{0,8})\.log$/;

export interface AuditFile {
  readonly path: string;
  /** Its number, or undefined for the one that is written to. */
  readonly number: number | undefined;
}

/** All files, oldest first. */
export function auditFiles(state: string): AuditFile[] {
  const names = listIfPresent(state);
  const rotated = names
    .flatMap((name) => {
      const match = rotatedName.exec(name);
      return match === null ? [] : [{ path: join(state, name), number: Number(match[1]) }];
    })
    .sort((a, b) => a.number - b.number);
  return names.includes('audit.log') ? [...rotated, { path: join(state, 'audit.log'), number: undefined }] : rotated;
}

/** Sets the current file aside under the next number. To be called under the lock, when it ends in a newline. */
export function rotateAudit(state: string): void {
  const last = auditFiles(state).findLast(({ number }) => number !== undefined)?.number ?? 0;
  renameSync(join(state, 'audit.log'), join(state, `audit.${last + 1}.log`));
  syncDirectory(state);
}

export interface OpenAuditFile extends AuditFile {
  readonly fd: number;
  /** Bytes when it was opened. */
  readonly size: number;
}

/** Opens one; a link is an error. */
export function openAuditFile(file: AuditFile): OpenAuditFile {
  const fd = openSync(file.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const found = fstatSync(fd);
  if (found.isFile()) return { ...file, fd, size: found.size };
  closeSync(fd);
  throw new Error(`${file.path} is not a file`);
}

/**
 * Opens all of them as they are at one moment. Readers take no lock: what stands there never changes, and a rotation
 * meanwhile is seen by listing twice. `close` them.
 */
export function openAudit(state: string): { files: OpenAuditFile[]; close(): void } {
  for (;;) {
    const listed = auditFiles(state);
    const files: OpenAuditFile[] = [];
    const close = () => {
      for (const { fd } of files) closeSync(fd);
    };
    try {
      for (const file of listed) files.push(openAuditFile(file));
    } catch (cause) {
      close();
      if (errnoOf(cause) === 'ENOENT') continue;
      throw cause;
    }
    if (auditFiles(state).length === listed.length) return { files, close };
    close();
  }
}

/** The lines of one open file. */
export function linesOf({ fd, size }: OpenAuditFile): Generator<LogLine> {
  return readLines(fd, { from: 0, to: size, most: longestLine });
}
