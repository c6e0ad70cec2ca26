// Owns `sandbox cp`: files between the host and a live sandbox, by the rules of artifacts.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { formatSize, parseSize } from '../base/units.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import type { Copied, CpRequest } from '../run/life/cp.ts';
import { copyIn, copyInTar } from '../run/life/cpIn.ts';
import { copyOut, copyOutTar } from '../run/life/cpOut.ts';
import { CpTar } from '../run/life/cpTar.ts';
import { insideOf } from '../run/life/inside.ts';
import { findSandbox, type Sandbox } from '../run/life/sandbox.ts';
import { readState } from '../run/life/state.ts';
import type { CliContext } from './context.ts';
import { parseCount } from './count.ts';
import { startProgress } from './print.ts';

interface CpFlags {
  readonly maxFiles: string;
  readonly maxBytes: string;
}

const maxDepth = 64;
const progressMs = 500;

interface Side {
  /** undefined: on the host. */
  readonly sandbox: string | undefined;
  readonly path: string;
}

/** `NAME:PATH` is inside; a host path with a colon is written `./a:b`. */
function parseSide(text: string): Side {
  const [, sandbox, path] = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(text) ?? [];
  if (text === '' || path === '') {
    throw new CofferdamError('USAGE', `"${printable(text, 80)}" names no path`, {
      remedy: 'write NAME:/PATH or a host path',
    });
  }
  return { sandbox, path: path ?? text };
}

function refuseStopped(context: CliContext, sandbox: Sandbox): void {
  const { status } = readState(context.paths, sandbox);
  if (status === 'running') return;
  throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} is ${status}; files are copied while it runs`, {
    remedy: status === 'paused' ? `sandbox unpause ${sandbox.name}` : `sandbox start ${sandbox.name}`,
  });
}

/** On a terminal only: a script wants the files. */
function openProgress({ terminal }: CliContext, label: string) {
  const progress = terminal.errColour ? startProgress(terminal, label) : undefined;
  let next = performance.now() + progressMs;
  return {
    step(bytes: number) {
      if (progress === undefined || performance.now() < next) return;
      next = performance.now() + progressMs;
      progress.step(`${(bytes / 2 ** 20).toFixed(0)} MiB`);
    },
    done(text: string) {
      progress?.done(text);
    },
  };
}

function report(context: CliContext, { refused, refusedMore, words }: Copied): void {
  const { terminal } = context;
  for (const { path, why } of refused.slice(0, 100)) terminal.err(`sandbox: ${path} is not copied: ${why}\n`);
  const more = refused.length + refusedMore - 100;
  if (more > 0) terminal.err(`sandbox: ${more} more are not copied\n`);
  for (const line of words) terminal.err(`sandbox: inside: ${line}\n`);
  if (refused.length > 0 || words.length > 0) context.exit(1);
}

async function copyToHost(context: CliContext, sandbox: Sandbox, target: string, request: CpRequest): Promise<Copied> {
  const { paths, cwd, terminal } = context;
  if (target === '-') {
    if (terminal.outIsTerminal) {
      throw new CofferdamError('USAGE', 'a tar is not written to a terminal', {
        remedy: 'sandbox cp NAME:PATH - > FILE',
      });
    }
    const tar = new CpTar((bytes) => terminal.write('stdout', bytes));
    const copied = await copyOutTar(request, tar, () => tar.flush());
    await tar.end();
    return copied;
  }
  const { mode, source } = sandbox.workspace;
  const writable = mode === 'rw' ? (source ?? undefined) : undefined;
  const floor = loadHostConfig(paths.hostConfig).limits.hostFreeDisk;
  return await copyOut(request, { cwd, target, writable, floor });
}

async function copy(context: CliContext, from: Side, to: Side, flags: CpFlags): Promise<void> {
  const name = from.sandbox ?? to.sandbox;
  if (name === undefined || (from.sandbox !== undefined && to.sandbox !== undefined)) {
    throw new CofferdamError('USAGE', 'one side is in a sandbox, the other on the host', {
      remedy: 'sandbox cp NAME:/PATH HOSTPATH; or: sandbox cp HOSTPATH NAME:/PATH',
    });
  }
  const { paths, cwd, env, signal } = context;
  const bounds = { maxCount: parseCount(flags.maxFiles, '--max-files'), maxBytes: parseSize(flags.maxBytes), maxDepth };
  const sandbox = findSandbox(paths, name);
  refuseStopped(context, sandbox);
  const progress = openProgress(context, 'copy');
  const inside = from.sandbox === undefined ? to.path : from.path;
  const request: CpRequest = {
    runInside: insideOf(paths, sandbox.id, env),
    inside,
    bounds,
    signal,
    onProgress: progress.step,
  };
  const copied = await (from.sandbox !== undefined
    ? copyToHost(context, sandbox, to.path, request)
    : from.path === '-'
      ? copyInTar(request)
      : copyIn(request, { cwd, path: from.path })
  ).catch((error: unknown) => {
    progress.done('stopped');
    throw error;
  });
  progress.done(`${copied.files} files, ${formatSize(copied.bytes)} bytes`);
  report(context, copied);
}

/** `sandbox cp SRC DST`: exits 1 when something was left out, naming it. */
export function cpCommand(context: CliContext): Command {
  return createCommand('cp')
    .description('Copy a file or folder out of a running sandbox, or into it')
    .argument('<src>', 'NAME:PATH in a sandbox, or a host path; - is a tar on stdin')
    .argument('<dst>', 'likewise; - is a tar on stdout')
    .option('--max-files <n>', 'most files of one copy', '100000')
    .option('--max-bytes <size>', 'most bytes of one copy', '16g')
    .addHelpText(
      'after',
      '\nRegular files and folders only; links, devices, fifos and sockets are named and left out (exit 1).\n' +
        'Out: files 0600, folders 0700; a folder must be new. In: files of the program inside.\n' +
        '\nExamples:\n  sandbox cp box:/workspace/report.html .\n  sandbox cp data/ box:/workspace\n  sandbox cp box:/workspace - | tar -t',
    )
    .action((src: string, dst: string, flags: CpFlags) => copy(context, parseSide(src), parseSide(dst), flags));
}
