// Owns entering a live sandbox with crun: which process it joins, and the words of `crun exec`.
import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { startTimeOf } from '../base/process.ts';
import type { EngineEnter, LiveRun } from './types.ts';
import { variable } from './words.ts';

// Of crun's own files; the rest is kept as it is.
const statusSchema = z.looseObject({ pid: z.int().min(2), 'process-start-time': z.int() });
const filterName = 'run.oci.seccomp_bpf_data';
const configSchema = z.looseObject({ annotations: z.looseObject({ [filterName]: z.string().min(8) }) });

const patienceMs = 5000;

function stateFolder({ runDirectory }: LiveRun): string {
  return join(runDirectory, 'enter');
}

function gone({ id }: LiveRun): CofferdamError {
  return new CofferdamError('SANDBOX_STATE', `the program of ${id} has ended, or has not begun`);
}

/**
 * The sandbox's own program: the first child of its init, as long as the sandbox lives. Our init itself cannot be joined: its file
 * cannot be read from inside, so the kernel guards it (and its namespaces) as a process of the host's user namespace, in which
 * a plain user has no power, and crun none once it has joined the sandbox's (ptrace(2), "Ptrace access mode checking").
 */
function findProgram(init: number): { pid: number; started: string } | undefined {
  try {
    const children = () => readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').split(' ')[0] ?? '';
    const first = children();
    const started = startTimeOf(Number(first));
    // The kernel shows its namespaces to whoever may join them. Between fork and exec it is a copy of init.
    readlinkSync(`/proc/${Number(first)}/ns/user`);
    // Still the child after its start time was read: so that is the time of no other process.
    return started !== undefined && first !== '' && first === children() ? { pid: Number(first), started } : undefined;
  } catch (cause) {
    if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes(errnoOf(cause) ?? '')) return undefined;
    throw cause;
  }
}

/** crun exec loads the filter that crun run left beside its state; without one it would go on without a filter. */
function checkFilter(state: string): void {
  const { annotations } = configSchema.parse(JSON.parse(readFileSync(join(state, 'config.json'), 'utf8')));
  if (Buffer.from(annotations[filterName] ?? '', 'base64').equals(readFileSync(join(state, 'seccomp.bpf')))) return;
  throw new Error('its seccomp filter is not the one of its plan');
}

async function awaitProgram(run: LiveRun, init: number): Promise<{ pid: number; started: string }> {
  for (const end = performance.now() + patienceMs; performance.now() < end; ) {
    const program = findProgram(init);
    if (program !== undefined) return program;
    if (startTimeOf(init) === undefined) break;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw gone(run);
}

function readState(run: LiveRun): z.output<typeof statusSchema> {
  const state = join(run.runDirectory, 'crun', run.id);
  if (!existsSync(join(state, 'status'))) throw gone(run);
  let status: z.output<typeof statusSchema>;
  try {
    status = statusSchema.parse(JSON.parse(readFileSync(join(state, 'status'), 'utf8')));
    checkFilter(state);
  } catch (cause) {
    throw new CofferdamError('ENGINE_CANNOT', `crun cannot enter ${run.id}: ${messageOf(cause)}`, {
      cause,
      remedy: 'run the command in a sandbox of its own: sandbox run',
    });
  }
  if (startTimeOf(status.pid) !== String(status['process-start-time'])) throw gone(run);
  return status;
}

/** A second state folder for crun: as its own, but that the process to join is the program. */
async function prepare(run: LiveRun): Promise<number> {
  const state = join(run.runDirectory, 'crun', run.id);
  const status = readState(run);
  const program = await awaitProgram(run, status.pid);
  const beside = `${stateFolder(run)}.${process.pid}.new`;
  const entered = { ...status, pid: program.pid, 'process-start-time': Number(program.started) };
  try {
    mkdirSync(join(beside, run.id), { recursive: true, mode: 0o700 });
    for (const name of ['config.json', 'seccomp.bpf'])
      writeFileSync(join(beside, run.id, name), readFileSync(join(state, name)), { mode: 0o600 });
    writeFileSync(join(beside, run.id, 'status'), `${JSON.stringify(entered)}\n`, { mode: 0o600 });
    renameSync(beside, stateFolder(run));
  } catch (cause) {
    rmSync(beside, { recursive: true, force: true });
    // Another execution was as quick.
    if (!existsSync(join(stateFolder(run), run.id, 'status')))
      throw diskError(cause, `cannot write ${stateFolder(run)}`);
  }
  return program.pid;
}

export const crunEnter: EngineEnter = {
  prepare,
  command(run, terminal) {
    return {
      supervision: ['--seal'],
      words: [
        run.path,
        '--root',
        stateFolder(run),
        '--cgroup-manager=disabled',
        '--log',
        [variable('run_dir'), '/log'],
        '--log-format=json',
        'exec',
        ...(terminal ? ['--console-socket', [variable('run_dir'), '/tty']] : []),
        '--process',
        [variable('run_dir'), '/config.json'],
        run.id,
      ],
    };
  },
};
