// Owns copying, measuring, handing over and removing whole trees, with the host's own tools, which follow no link in them.
import { CofferdamError } from '../base/errors.ts';
import { streamTool, systemPath } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import { requireTool } from '../engine/tools.ts';

/** Runs a tool for as long as it takes, until `signal`; gives its output. Throws DISK_FULL or TOOL_FAILED. */
async function runLong(name: string, args: readonly string[], signal: AbortSignal, accept = [0]): Promise<string> {
  let said = '';
  let printed = '';
  const child = streamTool(requireTool(name, name === 'find' ? 'findutils' : 'coreutils'), args, {
    env: { PATH: systemPath, LC_ALL: 'C' },
    stdin: 'ignore',
    stdout: (chunk) => {
      if (printed.length < 4096) printed += Buffer.from(chunk).toString('utf8');
    },
    stderr: (chunk) => {
      if (said.length < 65_536) said += Buffer.from(chunk).toString('utf8');
    },
  });
  const stop = () => child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const ended = await child.ended.finally(() => signal.removeEventListener('abort', stop));
  // Also where the tool was done before the signal reached it: what comes next was not asked for any more.
  if (!signal.aborted && ended.exitCode !== undefined && accept.includes(ended.exitCode)) return printed;
  const full = /No space left on device|Disk quota exceeded/.test(said);
  const why = signal.aborted ? 'was cancelled' : `failed: ${printable(said.trim().split('\n')[0] ?? '', 400)}`;
  throw new CofferdamError(full ? 'DISK_FULL' : 'TOOL_FAILED', `${name} ${why}`);
}

/** Bytes that a tree takes on its disk, without what is mounted below it. */
export async function measureTree(folder: string, signal: AbortSignal): Promise<number> {
  const text = await runLong('du', ['-s', '-x', '-P', '--block-size=1', '--', folder], signal);
  return Number.parseInt(text, 10);
}

/**
 * Copies a tree to a folder that does not exist yet: modes, times and links as they are; owners, capabilities and what is
 * mounted below are not. Shares blocks where the file system can (reflink), never inodes: a hard link would change with the
 * original.
 */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const how = ['-R', '-P', '-x', '--preserve=mode,timestamps,links', '--reflink=auto', '--sparse=auto', '-T'];
  await runLong('cp', [...how, '--', from, to], signal);
}

/** Takes set-id bits off everything in a tree: an executable made inside must not lend its owner's rights on the host. */
export async function stripSetId(folder: string, signal: AbortSignal): Promise<void> {
  const chmod = requireTool('chmod', 'coreutils');
  const tests = ['-P', folder, '!', '-type', 'l', '-perm', '/6000'];
  await runLong('find', [...tests, '-execdir', chmod, '--', 'ug-s', '{}', '+'], signal);
}

/** Makes everything in a tree readable for its owner: a guest with the owner's uid can hide things by mode. */
export async function unhideTree(folder: string, signal: AbortSignal): Promise<void> {
  const chmod = requireTool('chmod', 'coreutils');
  // One by one for folders: find descends right after.
  const folders = ['-type', 'd', '!', '-perm', '-u=rwx', '-execdir', chmod, '--', 'u+rwx', '{}', ';'];
  const files = ['-type', 'f', '!', '-perm', '-u=r', '-execdir', chmod, '--', 'u+r', '{}', '+'];
  await runLong('find', ['-P', folder, '(', ...folders, ')', '-o', '(', ...files, ')'], signal);
}

/** Gives a tree to `uid:gid`, links themselves and never what they point at. Needs root. */
export async function giveTree(folder: string, uid: number, gid: number, signal: AbortSignal): Promise<void> {
  await runLong('chown', ['-R', '-P', '-h', '--', `${uid}:${gid}`, folder], signal);
}

/** Removes every entry of this name, and what is in it, from a tree. */
export async function removeNamed(folder: string, name: string, signal: AbortSignal): Promise<void> {
  const rm = requireTool('rm', 'coreutils');
  await runLong('find', ['-P', folder, '-name', name, '-prune', '-execdir', rm, '-rf', '--', '{}', '+'], signal);
}

/** Removes a tree whatever modes it has; nothing there is no failure. */
export async function removeTree(folder: string, signal: AbortSignal): Promise<void> {
  const chmod = requireTool('chmod', 'coreutils');
  const open = ['-type', 'd', '!', '-perm', '-u=rwx', '-execdir', chmod, '--', 'u+rwx', '{}', ';'];
  // What cannot be opened makes rm fail below, which counts.
  await runLong('find', ['-P', folder, ...open], signal, [0, 1]);
  await runLong('rm', ['-rf', '--one-file-system', '--', folder], signal);
}
