// Owns the stage of cp's tests: a folder that stands for the sandbox's, a host folder, and what runs "inside".
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { CofferdamError } from '../../../lib/base/errors.ts';
import type { CpRequest } from '../../../lib/run/life/cp.ts';
import type { InsideCommand, RunInside } from '../../../lib/run/life/inside.ts';

export interface CpScene {
  readonly inside: string;
  readonly host: string;
  request(path: string, more?: Partial<CpRequest>): CpRequest;
}

/** Runs the command here: what cp says inside is plain tar and sh. */
export const runHere: RunInside = ({ argv, stdin, stdout, signal }: InsideCommand) => {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  const fed = (async () => {
    if (typeof stdin === 'object')
      for await (const chunk of stdin) if (!child.stdin.destroyed) child.stdin.write(chunk);
    child.stdin.end();
  })();
  const read = (async () => {
    for await (const chunk of child.stdout) await stdout(chunk as Buffer);
  })();
  return new Promise((done, failed) => {
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ABORT_ERR' ? undefined : failed(error)));
    child.on('close', (status) => {
      Promise.all([fed, read]).then(() => done({ exitCode: status ?? undefined, stderr }), failed);
    });
  });
};

/** A sandbox that answers with these bytes, whatever it is told. */
export function answering(bytes: Uint8Array, exitCode = 0): RunInside {
  return async ({ stdout }) => {
    for (let at = 0; at < bytes.length; at += 700) await stdout(bytes.subarray(at, at + 700));
    return { exitCode, stderr: '' };
  };
}

export function openScene(t: Test): CpScene {
  const top = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-cp-')));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  const [inside, host] = [join(top, 'inside'), join(top, 'host')];
  for (const folder of [inside, host]) mkdirSync(folder);
  return {
    inside,
    host,
    request: (path, more = {}) => ({
      runInside: runHere,
      inside: join(inside, path),
      bounds: { maxCount: 100, maxBytes: 10 << 20, maxDepth: 8 },
      signal: new AbortController().signal,
      onProgress: () => undefined,
      ...more,
    }),
  };
}

export async function refusalOf(copying: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await copying;
    return { code: 'none', text: '' };
  } catch (error) {
    const { code, message, details } = error as CofferdamError;
    return { code, text: [message, ...(details ?? [])].join('\n') };
  }
}
