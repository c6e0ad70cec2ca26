// Owns a person at a terminal, for tests: bin/sandbox on a pty of its own, and what is typed when something is seen (typist.py).
import { join } from 'node:path';
import { install, type Scene, sandboxFile } from './scene.ts';

export interface Step {
  readonly see: string;
  readonly type?: string;
  readonly size?: readonly [number, number];
  /** Sent to the process that was started. */
  readonly signal?: number;
}

export interface Typed {
  readonly seen: string;
  /** Negative: the signal that ended it. */
  readonly status: number | null;
  /** Whether the caller's terminal has the mode that it had. */
  readonly same: boolean;
  /** Steps that were not reached. */
  readonly left: number;
}

/** `bin/sandbox WORDS` to its end, on a terminal of 33 rows and 77 columns. */
export async function typed(scene: Scene, words: readonly string[], steps: readonly Step[] = []): Promise<Typed> {
  const typist = join(install, 'test/system/typist.py');
  const { stdout, stderr } = await scene.spawn('/usr/bin/python3', [
    typist,
    JSON.stringify(steps),
    sandboxFile,
    ...words,
  ]).ended;
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Typed;
}
