// Owns finding lines in the audit log: one by its number, those of a run, the last ones.
import { closeSync } from 'node:fs';
import { auditFiles, linesOf, openAudit, openAuditFile } from './files.ts';
import { type AuditLine, parseLine } from './line.ts';

function firstSeq(path: string, number: number | undefined): number | undefined {
  const file = openAuditFile({ path, number });
  try {
    for (const { bytes } of linesOf(file)) {
      const line = bytes === undefined ? undefined : parseLine(bytes);
      if (line !== undefined) return line.seq;
    }
    return undefined;
  } finally {
    closeSync(file.fd);
  }
}

/** Every line with its file in order, those only that `keep` takes; what is no line is passed over. */
export function* readAudit(state: string): Generator<AuditLine> {
  const { files, close } = openAudit(state);
  try {
    for (const file of files) {
      for (const { bytes } of linesOf(file)) {
        const line = bytes === undefined ? undefined : parseLine(bytes);
        if (line !== undefined) yield line;
      }
    }
  } finally {
    close();
  }
}

/** The line with this number, or undefined. Reads one file. */
export function findLine(state: string, seq: number): AuditLine | undefined {
  // The newest file that begins at or before it.
  const file = auditFiles(state).findLast(
    ({ path, number }) => (firstSeq(path, number) ?? Number.POSITIVE_INFINITY) <= seq,
  );
  if (file === undefined) return undefined;
  const open = openAuditFile(file);
  try {
    for (const { bytes } of linesOf(open)) {
      const line = bytes === undefined ? undefined : parseLine(bytes);
      if (line?.seq === seq) return line;
    }
    return undefined;
  } finally {
    closeSync(open.fd);
  }
}

/** The last `count` lines, oldest first. Reads no more files than they stand in. */
export function lastLines(state: string, count: number): AuditLine[] {
  let found: AuditLine[] = [];
  for (const file of auditFiles(state).toReversed()) {
    if (found.length >= count) break;
    const open = openAuditFile(file);
    const kept: AuditLine[] = [];
    try {
      for (const { bytes } of linesOf(open)) {
        const line = bytes === undefined ? undefined : parseLine(bytes);
        if (line === undefined) continue;
        kept.push(line);
        if (kept.length > count * 2) kept.splice(0, count);
      }
    } finally {
      closeSync(open.fd);
    }
    found = [...kept.slice(-(count - found.length)), ...found];
  }
  return found;
}
