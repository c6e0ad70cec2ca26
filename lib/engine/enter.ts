// Owns reaching a live sandbox with crun, whichever engine started it: a state folder of ours for crun, and its commands.
import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { startTimeOf } from '../base/process.ts';
import { matching, open, text } from '../base/shape.ts';
import type { FindInit, HostProcess } from './inits.ts';
import { requireTool } from './tools.ts';
import type { EngineEnter, EngineLife, LiveRun } from './types.ts';
import { variable } from './words.ts';

const filterName = 'run.oci.seccomp_bpf_data';
// What the launcher wrote (lib/engine/crun.ts, lowerForCrun).
const configShape = open({
  annotations: open({
    [filterName]: matching(/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/),
  }),
  root: open({ path: text }),
});

const patienceMs = 60_000;

function gone({ id }: LiveRun): CofferdamError {
  return new CofferdamError('SANDBOX_STATE', `the program of ${id} has ended, or has not begun`);
}

/**
 * The sandbox's own program: the first child of its init, as long as the sandbox lives. Our init itself cannot be joined: its file
 * cannot be read from inside, so the kernel guards it (and its namespaces) as a process of the host's user namespace, in which
 * a plain user has no power, and crun none once it has joined the sandbox's (ptrace(2), "Ptrace access mode checking").
 */
function findProgram(init: number): HostProcess | undefined {
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

async function awaitProgram(run: LiveRun, find: FindInit): Promise<HostProcess> {
  for (const end = performance.now() + patienceMs; performance.now() < end; ) {
    const init = find(run);
    if (init === undefined) break;
    const program = findProgram(init.pid);
    if (program !== undefined) return program;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw gone(run);
}

/** Throws what is wrong with how crun keeps a run's filter; `filter` is the BPF of its plan. */
export type CheckFilter = (run: LiveRun, filter: Uint8Array) => void;

/** The files by which crun knows a container; the fields are those that crun 1.8.1 writes, and 1.28 still reads. */
function describe(run: LiveRun, { pid, started }: HostProcess, check: CheckFilter) {
  const config = readFileSync(join(run.runDirectory, 'config.json'), 'utf8');
  const { annotations, root } = configShape(JSON.parse(config));
  const filter = Buffer.from(annotations[filterName], 'base64');
  check(run, filter);
  const status = {
    pid,
    'process-start-time': Number(started),
    'cgroup-path': '',
    scope: '',
    rootfs: root.path,
    'systemd-cgroup': false,
    bundle: run.runDirectory,
    created: new Date().toISOString(),
    owner: '',
    detached: false,
    external_descriptors: '[]',
  };
  // crun exec loads the filter as it is, and would go on without one if there were none.
  return { 'config.json': config, 'seccomp.bpf': filter, status: `${JSON.stringify(status)}\n` };
}

/** A state folder `<run>/NAME` in which crun finds a container of one process. One that is there already stays. */
function writeState(run: LiveRun, name: string, files: ReturnType<typeof describe>): void {
  const folder = join(run.runDirectory, name);
  const beside = `${folder}.${process.pid}.new`;
  try {
    mkdirSync(join(beside, run.id), { recursive: true, mode: 0o700 });
    for (const [file, content] of Object.entries(files))
      writeFileSync(join(beside, run.id, file), content, { mode: 0o600 });
    renameSync(beside, folder);
  } catch (cause) {
    rmSync(beside, { recursive: true, force: true });
    // Another was as quick.
    if (!existsSync(join(folder, run.id, 'status'))) throw diskError(cause, `cannot write ${folder}`);
  }
}

/** Makes a state in which crun finds `known`. Throws ENGINE_CANNOT, SANDBOX_STATE, DISK_FULL. */
function makeState(run: LiveRun, name: string, known: HostProcess, check: CheckFilter = () => undefined): void {
  let files: ReturnType<typeof describe>;
  try {
    files = describe(run, known, check);
  } catch (cause) {
    if (startTimeOf(known.pid) !== known.started) throw gone(run);
    throw new CofferdamError('ENGINE_CANNOT', `crun cannot enter ${run.id}: ${messageOf(cause)}`, {
      cause,
      remedy: 'run the command in a sandbox of its own: sandbox run',
    });
  }
  writeState(run, name, files);
}

/**
 * Entering by `crun exec`, in namespaces of the program below the init that `find` finds. Without `check`, by which an engine knows where
 * this crun keeps filters, the first execution of each run proves it (lib/run/life/proof.ts).
 */
export function crunEnter(find: FindInit, check?: CheckFilter): EngineEnter {
  return {
    proven: check === undefined,
    async prepare(run) {
      const program = await awaitProgram(run, find);
      makeState(run, 'enter', program, check);
      return program.pid;
    },
    command(run, terminal) {
      return {
        supervision: ['--seal'],
        words: [
          requireTool('crun', 'crun'),
          '--root',
          join(run.runDirectory, 'enter'),
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
}

/** Signals by `crun kill`, to the init that `find` finds: crun holds it by a descriptor and compares its start time. */
export function crunSignal(find: FindInit): EngineLife['signal'] {
  return (run, signal) => {
    const init = find(run);
    if (init === undefined) return undefined;
    makeState(run, 'init', init);
    return [requireTool('crun', 'crun'), '--root', join(run.runDirectory, 'init'), 'kill', run.id, signal];
  };
}
