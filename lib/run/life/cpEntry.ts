// Owns judging one name that a sandbox gives us in a tar: which path it is below the folder that is copied, and why it may not be.
import { printable } from '../../base/printable.ts';
import { isGuardedPath } from '../guardedPlaces.ts';

/** What one copy may hold. */
export interface CpBounds {
  readonly maxCount: number;
  /** Logical bytes of all files together. */
  readonly maxBytes: number;
  /** Folders in folders. */
  readonly maxDepth: number;
}

/** `[]` is what was asked for itself; undefined: the path leads elsewhere, and no honest tar has it. */
export function stepsBelow(raw: string, top: string): string[] | undefined {
  const path = raw.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  const steps = path.split('/');
  if (steps.some((step) => step === '' || step === '..' || step === '.' || step.includes('\0'))) return undefined;
  return steps[0] === top ? steps.slice(1) : undefined;
}

const kinds: Readonly<Record<string, string>> = {
  SymbolicLink: 'a link',
  Link: 'a link',
  CharacterDevice: 'a device',
  BlockDevice: 'a device',
  FIFO: 'a fifo',
};

/** Why an entry is left out, or undefined. The rules are those of artifacts (lib/run/collect.ts). */
export function findEntryFault(
  type: string,
  path: string,
  steps: readonly string[],
  maxDepth: number,
): string | undefined {
  // U+FFFD stands for bytes that are no UTF-8.
  if (path.includes('\ufffd') || steps.some((step) => printable(step, 256) !== step))
    return 'its name is not UTF-8, or holds invisible characters';
  if (Buffer.byteLength(path) > 4000) return 'its path is too long';
  const isFile = type === 'File' || type === 'OldFile';
  if (!isFile && type !== 'Directory') return `it is ${kinds[type] ?? `no file or folder (${printable(type, 40)})`}`;
  if (isGuardedPath(Buffer.from(path).toString('latin1')))
    return 'its name stands for a place that runs code on the host; pack it into an archive';
  if (steps.at(-1)?.toLowerCase() === 'head')
    return 'it could make its folder a git directory; pack it into an archive';
  if (steps.length > maxDepth) return `it lies deeper than ${maxDepth} folders`;
  return undefined;
}
