// Owns what both ways of copying between host and sandbox share: the request, paths inside, and how tar inside ended.
import { posix } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { CpBounds } from './cpEntry.ts';
import type { InsideResult, RunInside } from './inside.ts';

export interface CpRequest {
  readonly runInside: RunInside;
  /** Path in the sandbox; relative to `/`, as podman has it. */
  readonly inside: string;
  readonly bounds: CpBounds;
  readonly signal: AbortSignal;
  /** Bytes of files so far. */
  onProgress(bytes: number): void;
}

export interface Copied {
  readonly files: number;
  readonly bytes: number;
  readonly refused: readonly { readonly path: string; readonly why: string }[];
  readonly refusedMore: number;
  /** What tar said inside, a line each: sockets that it passed over. */
  readonly words: readonly string[];
}

/** The path inside as its folder and name. Throws CP_REFUSED. */
export function splitInside(text: string): { folder: string; name: string; path: string } {
  const path = posix.resolve('/', text);
  if (text.includes('\0')) throw new CofferdamError('CP_REFUSED', 'a path cannot hold a NUL');
  return { folder: posix.dirname(path), name: posix.basename(path), path };
}

export function wordsOf({ stderr }: InsideResult): string[] {
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 20)
    .map((line) => printable(line, 300));
}

/** Throws CP_REFUSED with the words of a command inside that did not end well. */
export function judge(result: InsideResult, signal: AbortSignal, what: string): void {
  if (result.exitCode === 0) return;
  if (signal.aborted)
    throw new CofferdamError('CP_REFUSED', 'the copy was stopped; nothing of it was kept', { remedy: 'run it again' });
  const details = wordsOf(result);
  throw new CofferdamError(
    'CP_REFUSED',
    `${what}: ${details[0] ?? `tar ended with ${result.exitCode ?? 'a signal'}`}`,
    {
      details: details.slice(1),
      remedy: 'nothing of it was kept; see what the path holds: sandbox exec NAME -- ls -la PATH',
    },
  );
}
