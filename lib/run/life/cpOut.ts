// Owns copying out of a sandbox: tar runs inside, under the guest's own bounds; the host only judges the bytes that come.
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { fromBytes } from '../beneath.ts';
import { isGuardedPath } from '../guardedPlaces.ts';
import { isWithin } from '../hostPlaces.ts';
import { type Copied, type CpRequest, judge, splitInside, wordsOf } from './cp.ts';
import { CpReceiver, type CpSink } from './cpReceive.ts';
import { CpStage } from './cpStage.ts';

/** Receives `inside` into `sink`. Throws CP_REFUSED, DISK_FULL. */
async function receive(request: CpRequest, sink: CpSink, flush: () => Promise<void> | undefined): Promise<Copied> {
  const { runInside, bounds, signal, onProgress } = request;
  const { folder, name } = splitInside(request.inside);
  if (name === '')
    throw new CofferdamError('CP_REFUSED', 'the whole root cannot be copied', {
      remedy: 'name a file or folder in it',
    });
  const receiver = new CpReceiver(name, bounds, sink);
  const stopped = new AbortController();
  let fault: unknown;
  const result = await runInside({
    // GNU tar's own: names as they are, no hard links, nothing sparse.
    argv: ['tar', '-c', '-f', '-', '--format=posix', '--hard-dereference', '--no-unquote', '-C', folder, '--', name],
    stdin: undefined,
    stdout: (chunk) => {
      try {
        if (fault !== undefined) return undefined;
        receiver.write(chunk);
        onProgress(receiver.bytes);
        return flush();
      } catch (thrown) {
        fault = thrown;
        stopped.abort();
        return undefined;
      }
    },
    signal: AbortSignal.any([signal, stopped.signal]),
  });
  if (fault !== undefined) throw fault;
  judge(result, signal, `${printable(request.inside)} cannot be copied`);
  const received = receiver.end();
  if (received.kind === undefined) throw new CofferdamError('CP_REFUSED', 'the sandbox sent nothing');
  const { files, bytes, refused, refusedMore } = received;
  return { files, bytes, refused, refusedMore, words: wordsOf(result) };
}

export interface CpOut {
  readonly cwd: string;
  /** As the caller wrote it. */
  readonly target: string;
  /** The host folder that the guest may write to, or undefined. */
  readonly writable: string | undefined;
  /** Bytes that stay free on the host. */
  readonly floor: number;
}

/** The real folder to copy into, and the name there. Throws CP_REFUSED. */
function placeOf({ cwd, target, writable }: CpOut, name: string): { parent: string; name: string } {
  const named = resolve(cwd, target);
  const found = lstatSync(named, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) {
    throw new CofferdamError('CP_REFUSED', `${printable(target)} is a link`, { remedy: 'name what it stands for' });
  }
  let parent: string;
  try {
    parent = realpathSync(found?.isDirectory() ? named : dirname(named));
  } catch (cause) {
    throw new CofferdamError('CP_REFUSED', `the folder of ${printable(target)} cannot be used: ${messageOf(cause)}`, {
      cause,
      remedy: 'make it first',
    });
  }
  const final = found?.isDirectory() ? name : basename(named);
  if (writable !== undefined && isWithin(parent, writable)) {
    throw new CofferdamError(
      'CP_REFUSED',
      `${printable(target)} lies in the workspace, which the sandbox may write to`,
      {
        remedy: 'name a folder outside of it',
      },
    );
  }
  if (isGuardedPath(fromBytes(Buffer.from(join(parent, final).slice(1))))) {
    throw new CofferdamError(
      'CP_REFUSED',
      `what stands in ${printable(join(parent, final))} may run on this host by itself`,
      {
        remedy: 'name another place',
      },
    );
  }
  return { parent, name: final };
}

/**
 * Copies a file or folder out: folders 0700, files 0600, all of it or nothing. A file replaces a file; a folder must be new. Throws
 * CP_REFUSED, DISK_FULL, TOOL_FAILED.
 */
export async function copyOut(request: CpRequest, out: CpOut): Promise<Copied> {
  const { name: top } = splitInside(request.inside);
  const { parent, name } = placeOf(out, top);
  const stage = new CpStage(parent, out.floor);
  try {
    const copied = await receive(request, stage, () => undefined);
    stage.publish(top, name);
    return copied;
  } finally {
    stage.close();
  }
}

/** Copies out as a tar of our own making: only what was judged good is in it. Throws as copyOut. */
export async function copyOutTar(request: CpRequest, sink: CpSink, flush: () => Promise<void>): Promise<Copied> {
  return await receive(request, sink, flush);
}
