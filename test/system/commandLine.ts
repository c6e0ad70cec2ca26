// Owns a command line that stays: `sandbox ARGUMENTS` over and over in one process of the caller's, because the start of Node is
// most of what a test's preparing, looking and clearing away would take. What is proven is called as people call it, by bin/sandbox.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Ended } from './scene.ts';

/** A line that its process reads. */
export interface Call {
  readonly number: number;
  readonly args: readonly string[];
}

/** A line that its process writes. */
export interface Answer {
  readonly number: number;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLine {
  /** The command to its end; its input is nobody's, its folder the scene's home. */
  call(args: readonly string[]): Promise<Ended>;
  close(): Promise<void>;
}

interface Waiting {
  readonly done: (ended: Ended) => void;
  readonly fail: (error: Error) => void;
}

function toEnded({ status, stdout, stderr }: Answer): Ended {
  return { status, signal: null, stdout, stderr, out: Buffer.from(stdout), err: Buffer.from(stderr) };
}

/** By which its process is known in /proc. */
export const lineProcess = 'test/system/commandLineProcess.ts';

/** Starts one by `start`, which is given the words of its process and must leave its three streams to us, at its first call. */
export function makeCommandLine(
  install: string,
  start: (words: readonly [string, ...string[]]) => ChildProcess,
): CommandLine {
  const waiting = new Map<number, Waiting>();
  let opened: ChildProcess | undefined;
  let calls = 0;
  let rest = '';
  const take = (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = JSON.parse(Buffer.from(line, 'latin1').toString()) as Answer;
      waiting.get(answer.number)?.done(toEnded(answer));
      waiting.delete(answer.number);
    }
  };
  const open = () => {
    const child = start([process.execPath, join(install, lineProcess), install]);
    child.stdout?.on('data', take);
    child.stderr?.pipe(process.stderr);
    child.stdin?.on('error', () => undefined);
    child.on('close', (status, signal) => {
      for (const { fail } of waiting.values()) fail(new Error(`the command line ended: ${status} ${signal}`));
    });
    return child;
  };
  return {
    call: (args) => {
      const [verb = ''] = args;
      // A program's own streams would be those of our process.
      if (['exec', 'attach'].includes(verb) || (verb === 'run' && !args.includes('--json')))
        throw new RangeError(`${verb} is for bin/sandbox`);
      opened ??= open();
      const number = calls++;
      return new Promise((done, fail) => {
        waiting.set(number, { done, fail });
        opened?.stdin?.write(`${JSON.stringify({ number, args } satisfies Call)}\n`);
      });
    },
    close: async () => {
      opened?.stdin?.end();
      if (opened?.exitCode === null && opened.signalCode === null) await once(opened, 'close');
    },
  };
}
