// Owns the stage of the supervisor's tests: the built binary behind a short script, and small shell scenes that use it.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { runTool, type Streamed, streamTool } from '../../lib/base/exec.ts';

const root = resolve(import.meta.dirname, '../..');
/** COFFERDAM_SUPERVISE names another build, such as the sanitized one. */
const binary = process.env['COFFERDAM_SUPERVISE'] ?? join(root, 'dist/native/supervise');

/** Variables that the scene's `./run` turns into options: ms and bytes, 0 or unset for none. */
export interface Bounds {
  timeout?: number;
  idle?: number;
  grace?: number;
  out?: number;
  err?: number;
}

export interface Scene {
  readonly binary: string;
  readonly directory: string;
  /** Runs a POSIX script in the directory, where `./run OPTION... -- PROGRAM...` is the supervisor. */
  play(script: string, bounds?: Bounds): Promise<{ exitCode: number; stdout: string; stderr: string }>;
  /** Starts `./run ARGUMENT...` and goes on. */
  start(args: readonly string[], bounds?: Bounds): Streamed & { readonly output: () => string };
  /** The text of a file of the scene, undefined when it isn't there. */
  read(name: string): string | undefined;
}

const wrapper = `#!/bin/sh
exec '${binary}' --id scene --timeout-ms "\${timeout:-0}" --idle-ms "\${idle:-0}" --grace-ms "\${grace:-200}" \\
	--stdout-max "\${out:-0}" --stderr-max "\${err:-0}" "$@"
`;

function variables(bounds: Bounds): Record<string, string> {
  return Object.fromEntries(Object.entries(bounds).map(([name, value]) => [name, String(value)]));
}

/** A fresh directory with `./run` in it; built once beforehand. */
export async function setScene(t: Test): Promise<Scene> {
  if (process.env['COFFERDAM_SUPERVISE'] === undefined) {
    await runTool('flock', [join(root, 'lib/run/native'), 'make', '-s', '-C', join(root, 'lib/run/native')]);
  }
  const directory = t.testdir({});
  const run = join(directory, 'run');
  writeFileSync(run, wrapper);
  chmodSync(run, 0o755);
  return {
    binary,
    directory,
    play: (script, bounds = {}) =>
      runTool('/bin/sh', ['-c', script], {
        cwd: directory,
        env: variables(bounds),
        accept: Array.from({ length: 256 }, (_, status) => status),
      }),
    start: (args, bounds = {}) => {
      let text = '';
      const take = (chunk: Uint8Array) => {
        text += Buffer.from(chunk).toString('latin1');
      };
      const child = streamTool(run, args, {
        env: { PATH: '/usr/bin:/bin', ...variables(bounds) },
        cwd: directory,
        stdin: 'ignore',
        stdout: take,
        stderr: take,
      });
      return { ...child, output: () => text };
    },
    read: (name) => {
      const path = join(directory, name);
      return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
    },
  };
}

/** Waits until `holds`, looking every 10 ms for two minutes or more; false when it never did. */
export async function until(holds: () => boolean): Promise<boolean> {
  for (let look = 0; look < 12000; look++) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 10));
  }
  return false;
}

/** The fields of a record line: [...head, start, end, exit, reason, stdout bytes, stderr bytes, truncated]. */
export function fields(line: string | undefined): readonly string[] {
  return (line ?? '').trimEnd().split(' ');
}
