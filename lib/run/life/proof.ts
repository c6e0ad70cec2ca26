// Owns the proof that what enters a sandbox is confined as its program is: the first execution in each run is ours, and looks.
import { readlinkSync } from 'node:fs';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { printable } from '../../base/printable.ts';
import { requireTool } from '../../engine/tools.ts';

const namespaces = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
const look = `PATH=/usr/bin:/bin; cat /proc/self/status; for name in ${namespaces.join(' ')}; do readlink "/proc/self/ns/$name"; done`;

const timeoutMs = 120_000;
const anyStatus = Array.from({ length: 256 }, (_, status) => status);

/** What proc(5) says of every process in a sandbox: no capability, no way to one, and a filter. */
const confined = [
  ...['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t0000000000000000`),
  'NoNewPrivs:\t1',
  'Seccomp:\t2',
];

function readNamespaces(program: number): string[] {
  try {
    return namespaces.map((name) => readlinkSync(`/proc/${program}/ns/${name}`));
  } catch (cause) {
    if (['ENOENT', 'EACCES', 'ESRCH'].includes(errnoOf(cause) ?? ''))
      throw new CofferdamError('SANDBOX_STATE', 'its program has ended', { cause });
    throw cause;
  }
}

/** What is wanted and was not seen, such as `Seccomp`, `mnt`. Pure. */
export function findLacking(said: string, wanted: readonly string[]): string[] {
  const lines = said.split('\n');
  return wanted.filter((line) => !lines.includes(line)).map((line) => line.slice(0, line.indexOf(':')));
}

/**
 * Executes by `entrance` and compares with `program`, a host pid. Throws ENGINE_CANNOT when what entered is confined less, or could not
 * look; SANDBOX_STATE when the program has ended.
 */
export async function proveEntrance(entrance: string, sandbox: string, program: number): Promise<void> {
  const bindings = [`parent=${process.pid}`, `timeout=${timeoutMs / 2}`];
  const words = ['-euc', '. "$0"; enter_sandbox "$@"', entrance, ...bindings, '--', '/bin/sh', '-c', look];
  const { exitCode, stdout, stderr } = await runTool(requireTool('sh', 'dash'), words, {
    timeoutMs,
    accept: anyStatus,
    maxBytes: 1 << 20,
  });
  if (exitCode !== 0) {
    const [first = ''] = stderr.replace(/^sandbox: /, '').split('\n');
    const why = printable(first, 300) || `a first look ended with ${exitCode}`;
    throw new CofferdamError('ENGINE_CANNOT', `cannot enter ${sandbox}: ${why}`, {
      remedy: 'try again; or run the command in a sandbox of its own: sandbox run',
    });
  }
  const lacking = findLacking(stdout, [...confined, ...readNamespaces(program)]);
  if (lacking.length === 0) return;
  throw new CofferdamError(
    'ENGINE_CANNOT',
    `what enters ${sandbox} would lack its protections: ${lacking.join(', ')}`,
    {
      remedy: 'run the command in a sandbox of its own: sandbox run',
    },
  );
}
