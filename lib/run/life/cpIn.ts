// Owns copying into a sandbox: a tar of ours, unpacked inside by the program's own user.
import { randomBytes } from 'node:crypto';
import { closeSync, lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { fromBytes, openReal } from '../beneath.ts';
import { type Copied, type CpRequest, judge, splitInside, wordsOf } from './cp.ts';
import { CpSender, sentNames } from './cpSend.ts';

// $1 the path, $2 its folder, $3 its name, $4 the source's name, $5 a random word. The last entry says that all came.
const putInPlace = `set -eu
if [ -d "$1" ]; then cd -- "$1"; name=$4; else cd -- "$2"; name=$3; fi
stage=.cofferdam-cp-$5
mkdir -m 700 -- "$stage"
trap 'rm -rf -- "$stage"' EXIT
trap 'exit 1' HUP INT TERM
tar -x -m -f - -C "$stage"
[ -e "$stage/${sentNames.whole}" ]
mv -f -T -- "$stage/${sentNames.data}" "$name"`;

/**
 * Copies a host file or folder in, as files of the program's user inside: all of it or nothing. Throws CP_REFUSED, also for a place
 * that is read-only or full.
 */
export async function copyIn(
  request: CpRequest,
  source: { readonly cwd: string; readonly path: string },
): Promise<Copied> {
  const { runInside, bounds, signal, onProgress } = request;
  const named = resolve(source.cwd, source.path);
  const { folder: insideFolder, name: insideName, path } = splitInside(request.inside);
  let folder: number;
  try {
    folder = openReal(realpathSync(dirname(named)));
    lstatSync(named);
  } catch (cause) {
    throw new CofferdamError('CP_REFUSED', `${printable(source.path)} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const name = named === '/' ? '.' : fromBytes(Buffer.from(basename(named)));
  try {
    const sender = new CpSender({ folder, name, bounds });
    async function* pass(): AsyncGenerator<Uint8Array> {
      for await (const chunk of sender.stream()) {
        onProgress(sender.bytes);
        yield chunk;
      }
    }
    const words = [path, insideFolder, insideName, basename(named), randomBytes(6).toString('hex')];
    const argv = ['sh', '-c', putInPlace, 'sh', ...words];
    const result = await runInside({ argv, stdin: pass(), stdout: () => undefined, signal });
    if (sender.fault !== undefined) throw sender.fault;
    judge(result, signal, `it cannot be copied to ${printable(request.inside)}`);
    const { files, bytes, refused, refusedMore } = sender;
    return { files, bytes, refused, refusedMore, words: wordsOf(result) };
  } finally {
    closeSync(folder);
  }
}

/** Unpacks the tar that is our stdin in a folder inside. What was unpacked before a failure stays. Throws CP_REFUSED. */
export async function copyInTar(request: CpRequest): Promise<Copied> {
  const { runInside, signal } = request;
  const { path } = splitInside(request.inside);
  const argv = ['tar', '-x', '-f', '-', '-C', path];
  const result = await runInside({ argv, stdin: 'inherit', stdout: () => undefined, signal });
  judge(result, signal, `the tar cannot be unpacked in ${printable(request.inside)}`);
  return { files: 0, bytes: 0, refused: [], refusedMore: 0, words: wordsOf(result) };
}
