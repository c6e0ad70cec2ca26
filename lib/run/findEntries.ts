// Owns listing what lies below a host folder, in one bounded run of find(1) that follows no link and leaves no file system.
import { CofferdamError } from '../base/errors.ts';
import { streamTool, systemPath } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import { requireTool } from '../engine/tools.ts';
import { type BytePath, fromBytes } from './beneath.ts';

export interface FoundEntry {
  /** As find's %y: f file, d folder, l link, p fifo, s socket, b and c device. */
  readonly type: string;
  readonly path: BytePath;
}

export interface FindRequest {
  readonly root: string;
  /** find(1) tests, e.g. `['-type', 's']`; what passes is listed. */
  readonly tests: readonly string[];
  readonly signal: AbortSignal;
}

const mostBytes = 32 << 20;
const mostMilliseconds = 120_000;

/**
 * The entries below `root` that pass the tests. Throws WORKSPACE_INVALID when part of the tree cannot be read, or when it
 * is too large to be looked through (32 MiB of names, 120 s): what was not seen is not passed as clean.
 */
export async function findEntries({ root, tests, signal }: FindRequest): Promise<FoundEntry[]> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let said = '';
  const args = ['-P', root, '-xdev', '-mindepth', '1', '(', ...tests, ')', '-printf', '%y%P\\0'];
  const child = streamTool(requireTool('find', 'findutils'), args, {
    env: { PATH: systemPath, LC_ALL: 'C' },
    stdin: 'ignore',
    stdout: (chunk) => {
      bytes += chunk.length;
      if (bytes > mostBytes) child.kill('SIGKILL');
      else chunks.push(chunk);
    },
    stderr: (chunk) => {
      if (said.length < 4096) said += Buffer.from(chunk).toString('utf8');
    },
  });
  const stop = () => child.kill('SIGKILL');
  const clock = setTimeout(stop, mostMilliseconds);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const ended = await child.ended.finally(() => {
    clearTimeout(clock);
    signal.removeEventListener('abort', stop);
  });
  if (ended.exitCode !== 0) {
    const first = said.split('\n', 1)[0]?.replace(/^\S*find: /, '') ?? '';
    const why = signal.aborted ? 'the search was cancelled' : first === '' ? 'it is too large' : printable(first, 300);
    throw new CofferdamError('WORKSPACE_INVALID', `${printable(root)} could not be looked through: ${why}`, {
      remedy: 'make its folders readable for their owner (chmod -R u+rX), or name a smaller folder',
    });
  }
  const names = fromBytes(Buffer.concat(chunks)).split('\0');
  names.pop();
  return names.map((line) => ({ type: line.slice(0, 1), path: line.slice(1) }));
}
