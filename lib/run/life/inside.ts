// Owns running a command inside a live sandbox for our own ends, as `sandbox exec` does it: streams in, streams out.
import { join } from 'node:path';
import { streamTool } from '../../base/exec.ts';
import type { Paths } from '../../base/paths.ts';

export interface InsideCommand {
  readonly argv: readonly string[];
  /** Taken as fast as the command reads, and must not throw; `inherit` is our own. */
  readonly stdin: AsyncIterable<Uint8Array> | 'inherit' | undefined;
  /** A promise holds the next bytes back. */
  readonly stdout: (chunk: Uint8Array) => void | Promise<void>;
  readonly signal: AbortSignal;
}

export interface InsideResult {
  /** undefined: it was ended by a signal, or by the abort. */
  readonly exitCode: number | undefined;
  /** What it said, the first 64 KiB; a guest's words. */
  readonly stderr: string;
}

export type RunInside = (command: InsideCommand) => Promise<InsideResult>;

const mostWords = 64 << 10;

/** Runs commands in the sandbox `id`, as its program's user. `env`: the caller's, of which HOME and the XDG folders count. */
export function insideOf(paths: Paths, id: string, env: Readonly<Record<string, string | undefined>>): RunInside {
  const passed = ['HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR'].flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return async ({ argv, stdin, stdout, signal }) => {
    const words: Buffer[] = [];
    let size = 0;
    const input = stdin === undefined ? [] : ['-i'];
    const child = streamTool(join(paths.install, 'bin', 'sandbox'), ['exec', ...input, id, '--', ...argv], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...Object.fromEntries(passed) },
      stdin: stdin ?? 'ignore',
      stdout,
      stderr: (chunk) => {
        if (size < mostWords) words.push(Buffer.from(chunk));
        size += chunk.length;
      },
      // Ours to end: a Ctrl-C at the terminal aborts the copy, and that ends it.
      detached: 'alone',
    });
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { exitCode } = await child.ended;
      return {
        exitCode: signal.aborted ? undefined : exitCode,
        stderr: Buffer.concat(words).toString('utf8', 0, mostWords),
      };
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}
