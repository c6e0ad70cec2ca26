// Owns reaching a live sandbox of gVisor: entering the namespaces around its runsc, signals, and the words of `runsc exec`.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CofferdamError } from '../../base/errors.ts';
import { writeFileAtomic } from '../../base/files.ts';
import { startTimeOf } from '../../base/process.ts';
import type { Profile } from '../../profile/schema.ts';
import { initTarget } from '../../spec/mounts.ts';
import { requireTool } from '../tools.ts';
import type { EngineLife, LiveRun } from '../types.ts';
import { type ShellWord, variable } from '../words.ts';
import { type EnterTool, renderEnter, renderWatch } from './enterScript.ts';

type Known = Pick<LiveRun, 'id' | 'runDirectory'>;

/** Inside: our helper, and the filter that it loads (lib/run/native/within). */
const helper = `${dirname(initTarget)}/within`;
const filter = `${dirname(initTarget)}/filter`;

/** The first process of the namespaces around runsc, as runsc-outside left it; undefined when it is another's pid by now. */
function findFirst({ runDirectory }: Known): { pid: string; started: string } | undefined {
  let text: string;
  try {
    text = readFileSync(join(runDirectory, 'first'), 'utf8');
  } catch {
    return undefined;
  }
  const [, pid = '', started = ''] = /^([1-9][0-9]*) ([0-9]+)\n$/.exec(text) ?? [];
  return pid !== '' && startTimeOf(Number(pid)) === started ? { pid, started } : undefined;
}

/** The folder of runsc's own files, from outside. */
function isRunning({ id, runDirectory }: Known): boolean {
  const first = findFirst({ id, runDirectory });
  if (first === undefined) return false;
  try {
    const state = readFileSync(`/proc/${first.pid}/root/sys/fs/cgroup/state/${id}_sandbox:${id}.state`, 'utf8');
    return z.looseObject({ status: z.string() }).parse(JSON.parse(state)).status === 'running';
  } catch {
    // Not written yet, being written, or ended already.
    return false;
  }
}

function enterWords(pid: string): string[] {
  const nsenter = requireTool('nsenter', 'util-linux');
  return [nsenter, '--target', pid, '--user', '--mount', '--pid', '--net', '--setuid', '0', '--setgid', '0'];
}

function tools(run: LiveRun): Readonly<Record<EnterTool, string>> {
  return {
    runsc: run.path,
    sh: requireTool('sh', 'dash'),
    nsenter: requireTool('nsenter', 'util-linux'),
    setsid: requireTool('setsid', 'util-linux'),
    mkfifo: requireTool('mkfifo', 'coreutils'),
    cat: requireTool('cat', 'coreutils'),
    rm: requireTool('rm', 'coreutils'),
  };
}

async function prepare(run: LiveRun): Promise<number> {
  const first = findFirst(run);
  if (first === undefined || !isRunning(run))
    throw new CofferdamError('SANDBOX_STATE', `the program of ${run.id} has ended, or has not begun`);
  const script = { tools: tools(run), helper, run, first };
  writeFileAtomic(join(run.runDirectory, 'runsc-watch'), renderWatch(script));
  writeFileAtomic(join(run.runDirectory, 'runsc-enter'), renderEnter(script));
  return Number(first.pid);
}

/**
 * The platform keeps threads for each process that was, times the threads of the sentry that served it. Measured on 2 cores
 * (ptrace): 50 at the start, 110 after a hundred executions of one process, 360 after some of nine at a time.
 */
const leastPids = 512;

function refuse({ limits: { pids } }: Profile): void {
  if (pids >= leastPids) return;
  throw new CofferdamError(
    'ENGINE_CANNOT',
    `runsc cannot enforce limits.pids of ${pids} in a sandbox that lives on: the threads of its kernel grow with the executions, and one that it cannot have ends it`,
    { remedy: `give it more: --pids ${leastPids}` },
  );
}

export const runscLife: EngineLife = {
  refuse,
  isReady: isRunning,
  signal: ({ id, runDirectory, path }, signal) => {
    const first = findFirst({ id, runDirectory });
    if (first === undefined) return undefined;
    return [...enterWords(first.pid), path, '--root', '/sys/fs/cgroup/state', 'kill', id, signal];
  },
  enter: {
    // Namespaces of the sentry are not those of the host; test/engine/runsc/life.system.test.ts looks at the rest.
    proven: false,
    before: [helper, 'filter', filter],
    prepare,
    command({ runDirectory, helpers }, terminal) {
      const folder: ShellWord = [variable('run_dir')];
      const words = [requireTool('sh', 'dash'), join(runDirectory, 'runsc-enter'), folder];
      return {
        supervision: [],
        words: terminal ? [join(helpers, 'pty'), 'connect', folder, ...words, 'terminal'] : words,
      };
    },
  },
};
