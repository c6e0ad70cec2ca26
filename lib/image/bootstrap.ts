// Owns running mmdebstrap: signed Debian packages to one tar, without root, the same bytes each time.
import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { streamTool, systemPath } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import type { BuildUser } from './builduser.ts';
import { imageEpoch } from './extract.ts';
import type { ImageDefinition } from './schema.ts';
import { writeSharedFile } from './shared.ts';
import { debianKeyring } from './sources.ts';

export interface BootstrapInput {
  readonly image: ImageDefinition;
  /** Text of the sources.list. */
  readonly sources: string;
  readonly user: BuildUser;
  /** Uid of the caller: 0 steps down to `user`. */
  readonly uid: number;
  /** Folder of `user`; the tar becomes `work/rootfs.tar`. */
  readonly work: string;
  /** A lock that the child holds too, so that nobody sweeps below it. */
  readonly lockFile: string;
  /** Scripts run on the new system, in this order. */
  readonly hooks: readonly string[];
  /** apt options of the host, as `Acquire::http::Proxy "…"`. */
  readonly aptOptions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

// Documents make half of the files and nobody reads them inside; copyright files stay.
const dpkgOptions = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/lintian/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
];

const steps: [RegExp, string][] = [
  [/^I: running apt-get update/, 'reading the signed package lists'],
  [/^I: downloading packages/, 'downloading packages'],
  [/^I: extracting archives/, 'unpacking the base'],
  [/^I: installing essential packages/, 'installing the base'],
  [/^I: installing remaining packages/, 'installing packages'],
  [/^I: running --customize-hook directly: \S*hook-0\.sh/, 'adding wheels, modules and files'],
  [/^I: running --customize-hook directly: \S*hook-1\.sh/, 'taking out traces of the builder'],
  [/^I: creating tarball/, 'packing'],
];

/** What a line of mmdebstrap's progress means to a person, where it means something. */
export function readStep(line: string): string | undefined {
  return steps.find(([pattern]) => pattern.test(line))?.[1];
}

/** The arguments of mmdebstrap, without its output and sources. */
export function bootstrapArguments(
  input: Pick<BootstrapInput, 'image' | 'aptOptions'>,
  hooks: readonly string[],
): string[] {
  return [
    '--mode=unshare',
    '--variant=minbase',
    '--format=tar',
    '--components=main',
    `--include=${[...input.image.packages].sort().join(',')}`,
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    '--aptopt=APT::Install-Recommends "false"',
    // Freshness is part of the signature: an old, validly signed archive replayed to us is refused.
    '--aptopt=Acquire::Check-Valid-Until "true"',
    ...input.aptOptions.map((option) => `--aptopt=${option}`),
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    input.image.base.suite,
  ];
}

/** Of the caller's settings only the proxies: the others are for pip and npm, and hooks would inherit them. */
function proxies(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /_proxy$/i.test(name)));
}

function failure(lines: readonly string[], why: string): CofferdamError {
  const details = lines
    .filter((line) => !line.startsWith('I: '))
    .slice(-12)
    .map((line) => printable(line, 300));
  const full = lines.some((line) => /No space left on device|Disk quota exceeded|enough free space/i.test(line));
  if (full) return new CofferdamError('DISK_FULL', 'the disk became full while the image was built', { details });
  return new CofferdamError('IMAGE_BUILD', `mmdebstrap ${why}`, { details });
}

/**
 * Ends the process group `leader` when we are killed: the pipe from us closes. A parent-death signal would reach mmdebstrap's
 * first process only, and what it unshared would build on for nobody. Stop the watch before the group is gone.
 */
function watchOverGroup(leader: number): () => void {
  const script = 'trap "" HUP INT TERM; cat; kill -s KILL -- "-$1"';
  const watch = streamTool('sh', ['-c', script, 'sh', String(leader)], {
    env: { PATH: systemPath },
    stdin: 'hold',
    stdout: () => {},
    stderr: () => {},
    detached: 'alone',
  });
  return () => watch.kill('SIGKILL');
}

/** Builds `work/rootfs.tar` and returns its path. Throws IMAGE_BUILD, DISK_FULL, HOST_UNPREPARED. */
export async function bootstrap(input: BootstrapInput): Promise<string> {
  if (!existsSync(debianKeyring)) {
    throw new CofferdamError('HOST_UNPREPARED', `${debianKeyring} is missing`, { remedy: 'as root: sandbox setup' });
  }
  const { work, user } = input;
  // The build user may not be able to read where we are installed, so it is given copies.
  const hooks = input.hooks.map((hook, index) => {
    const copy = join(work, `hook-${index}.sh`);
    copyFileSync(hook, copy);
    chmodSync(copy, 0o755);
    return copy;
  });
  const list = join(work, 'debian.list');
  writeSharedFile(list, input.sources);
  const tar = join(work, 'rootfs.tar');
  const step = ['setpriv', ...(input.uid === 0 ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups'] : [])];
  const command = [...step, 'mmdebstrap', ...bootstrapArguments(input, hooks), tar, list];
  const lines: string[] = [];
  let rest = '';
  const child = streamTool('flock', ['-s', '-F', input.lockFile, ...command], {
    env: {
      ...proxies(input.env),
      PATH: systemPath,
      LANG: 'C.UTF-8',
      HOME: work,
      TMPDIR: work,
      SOURCE_DATE_EPOCH: String(imageEpoch),
    },
    cwd: work,
    stdin: 'ignore',
    stdout: () => {},
    stderr: (chunk) => {
      const parts = `${rest}${Buffer.from(chunk).toString('utf8')}`.slice(-65_536).split(/[\r\n]+/);
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        const step = readStep(line);
        if (step !== undefined) input.onStep(step);
      }
      lines.splice(0, Math.max(0, lines.length - 200));
    },
    detached: 'group',
  });
  const endWatch = child.pid === undefined ? () => {} : watchOverGroup(child.pid);
  const stop = () => child.kill('SIGTERM');
  const force = () => setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
  input.signal.addEventListener('abort', stop);
  input.signal.addEventListener('abort', force);
  try {
    if (input.signal.aborted) stop();
    const { exitCode, signal, startError } = await child.ended;
    input.signal.throwIfAborted();
    if (startError !== undefined) {
      throw new CofferdamError('HOST_UNPREPARED', `cannot start mmdebstrap: ${printable(startError)}`);
    }
    if (exitCode === 127) throw new CofferdamError('HOST_UNPREPARED', 'mmdebstrap is not installed');
    if (exitCode !== 0) throw failure(lines, `ended with ${signal ?? `status ${exitCode}`}`);
    return tar;
  } finally {
    endWatch();
    input.signal.removeEventListener('abort', stop);
    input.signal.removeEventListener('abort', force);
  }
}
