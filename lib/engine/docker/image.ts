// Owns bringing an image of ours into a docker daemon: by its canonical tar, checked by the digest of what the daemon keeps.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';
import { archiveTree } from '../../image/archive.ts';
import type { Digest } from '../../image/schema.ts';
import { askDocker, type DockerClient } from './client.ts';

export interface KeptImage {
  readonly name: string;
  readonly digest: Digest;
  readonly rootfs: string;
}

async function writeArchive(rootfs: string, fd: number): Promise<void> {
  let sinceTurn = 0;
  for (const chunk of archiveTree(rootfs)) {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
    sinceTurn += chunk.length;
    if (sinceTurn < 4 << 20) continue;
    sinceTurn = 0;
    await new Promise(setImmediate);
  }
}

/** The canonical tar as an open file without a name: a kill leaves nothing. */
async function openArchive(rootfs: string, folder: string): Promise<number> {
  const file = join(folder, `.import-${process.pid}-${process.hrtime.bigint()}`);
  let writing: number | undefined;
  let reading: number | undefined;
  try {
    writing = openSync(file, 'wx', 0o600);
    reading = openSync(file, 'r');
    rmSync(file);
    await writeArchive(rootfs, writing);
    return reading;
  } catch (cause) {
    if (reading !== undefined) closeSync(reading);
    throw cause instanceof CofferdamError ? cause : diskError(cause, `cannot write the image to ${folder}`);
  } finally {
    if (writing !== undefined) closeSync(writing);
  }
}

// The layer's id is the sha256 of the tar, which is our digest; everything else that an image can carry must be absent.
const question =
  '{{.ID}} {{json .RootFS.Layers}} {{json .Config.Env}} {{json .Config.Volumes}} {{json .Config.OnBuild}}';

/** Docker's id of the image, or undefined when what it keeps under `reference` is not exactly ours. Pure. */
export function readAnswer(text: string, digest: Digest): string | undefined {
  const [id = '', layers = '', ...rest] = text.trim().split(' ');
  const plain = rest.length === 3 && rest.every((word) => word === 'null' || word === '[]');
  return /^sha256:[0-9a-f]{64}$/.test(id) && layers === JSON.stringify([digest]) && plain ? id : undefined;
}

async function findKept(client: DockerClient, reference: string, digest: Digest): Promise<string | undefined> {
  try {
    return readAnswer(await askDocker(client, ['image', 'inspect', '--format', question, '--', reference]), digest);
  } catch {
    return undefined;
  }
}

/**
 * Docker's id of `image`, imported from its root filesystem when it is not there; never pulled. `folder` takes the tar
 * meanwhile. Throws IMAGE_UNSAFE when the tree is no longer what its digest says, DISK_FULL, TOOL_FAILED.
 */
export async function importImage(client: DockerClient, image: KeptImage, folder: string): Promise<string> {
  const { name, digest, rootfs } = image;
  const tag = `cofferdam:${digest.replace(':', '-')}`;
  const kept = await findKept(client, tag, digest);
  if (kept !== undefined) return kept;
  const stdin = await openArchive(rootfs, folder);
  try {
    const labels = `LABEL cofferdam.image=${name} cofferdam.digest=${digest}`;
    await askDocker(client, ['import', '--change', labels, '-', tag], { stdin, timeoutMs: 600_000 });
  } finally {
    closeSync(stdin);
  }
  const made = await findKept(client, tag, digest);
  if (made !== undefined) return made;
  await askDocker(client, ['image', 'rm', '--force', '--', tag]).catch(() => undefined);
  throw new CofferdamError('IMAGE_UNSAFE', `${rootfs} is not what its digest says`, {
    remedy: `build it again: sandbox image build ${name}`,
  });
}
