// Owns fetching what is not Debian's: wheels and npm packages, by their ordinary clients, checked against the lock.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import { compareText } from './dpkg.ts';
import type { Lock } from './lock.ts';
import type { ImageDefinition } from './schema.ts';

export interface ExtrasInput {
  readonly image: ImageDefinition;
  /** Where image.yaml stands; `files` beside it is laid over the new system. */
  readonly folder: string;
  readonly arch: string;
  readonly locked: Lock | undefined;
  readonly lock: 'report' | 'require' | 'update';
  /** `work/extra` is made here, readable by the build user. */
  readonly work: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

/** What each suite's python3 is: wheels are chosen for it, not for the host's. */
const pythonOf = { bookworm: '3.11', trixie: '3.13' } as const;
const glibcOf = { bookworm: 36, trixie: 41 } as const;
const downloadMs = 900_000;

function fileHash(file: string, algorithm: 'sha256' | 'sha512', encoding: 'hex' | 'base64'): string {
  return createHash(algorithm).update(readFileSync(file)).digest(encoding);
}

/** The tags pip must accept: it does not derive older manylinux tags from newer ones for a foreign target. */
function platforms(suite: ImageDefinition['base']['suite'], arch: string): string[] {
  const machine = arch === 'amd64' ? 'x86_64' : 'aarch64';
  const newest = glibcOf[suite];
  const tags = Array.from({ length: newest - 4 }, (_, index) => `manylinux_2_${newest - index}`);
  return [...tags, 'manylinux2014'].map((tag) => `--platform=${tag}_${machine}`);
}

/** `name==version --hash=…` lines, as pip's hash-checking mode wants them. */
export function renderRequirements(wheels: Lock['pypi']): string {
  return wheels.map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`).join('');
}

/** Whether the lock was made for what the definition asks for now. */
function isLockedFor(image: ImageDefinition, locked: Lock | undefined): locked is Lock {
  const has = new Set(locked?.pypi.map(({ name, version }) => `${name}==${version}`));
  return locked !== undefined && image.pypi.every((wanted) => has.has(normalName(wanted)));
}

/** PEP 503: runs of `-_.` are one `-`, lower case. */
function normalName(requirement: string): string {
  const [name = '', version = ''] = requirement.split('==');
  return `${name.toLowerCase().replace(/[-_.]+/g, '-')}==${version}`;
}

async function fetchWheels(input: ExtrasInput, folder: string): Promise<Lock['pypi']> {
  const { image, locked, lock, env } = input;
  if (image.pypi.length === 0) return [];
  const pinned = lock !== 'update' && isLockedFor(image, locked);
  input.onStep(pinned ? 'fetching wheels by their hashes' : 'resolving wheels');
  const requirements = join(folder, 'wanted.txt');
  writeFileSync(requirements, pinned ? renderRequirements(locked.pypi) : `${image.pypi.join('\n')}\n`);
  const suite = image.base.suite;
  await runTool(
    'python3',
    [
      ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--only-binary=:all:'],
      ...['--implementation=cp', `--python-version=${pythonOf[suite]}`, ...platforms(suite, input.arch)],
      ...(pinned ? ['--require-hashes', '--no-deps'] : []),
      ...['--dest', folder, '--requirement', requirements],
    ],
    { env, timeoutMs: downloadMs },
  );
  writeFileSync(join(folder, 'names.txt'), `${image.pypi.join('\n')}\n`);
  const wheels = readdirSync(folder)
    .filter((file) => file.endsWith('.whl'))
    .sort(compareText)
    .map((file) => {
      const [name = '', version = ''] = file.split('-');
      const sha256 = fileHash(join(folder, file), 'sha256', 'hex');
      return { name: name.toLowerCase().replace(/[-_.]+/g, '-'), version, file, sha256 };
    });
  writeFileSync(join(folder, 'requirements.txt'), renderRequirements(wheels));
  return wheels;
}

async function fetchNpm(input: ExtrasInput, folder: string): Promise<Lock['npm']> {
  const wanted = input.image.npm.filter(({ arch }) => arch === undefined || arch === input.arch);
  const fetched: Lock['npm'] = [];
  let list = '';
  for (const { package: spec, layout } of wanted) {
    input.onStep(`fetching ${spec}`);
    input.signal.throwIfAborted();
    const before = new Set(readdirSync(folder));
    await runTool('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder, spec], {
      env: input.env,
      cwd: folder,
      timeoutMs: downloadMs,
    });
    const file = readdirSync(folder).find((name) => !before.has(name) && /^[A-Za-z0-9._-]+\.tgz$/.test(name));
    if (file === undefined) throw new CofferdamError('IMAGE_BUILD', `npm pack left no file for ${spec}`);
    const at = spec.lastIndexOf('@');
    const [name, version] = [spec.slice(0, at), spec.slice(at + 1)];
    const integrity = `sha512-${fileHash(join(folder, file), 'sha512', 'base64')}`;
    const known = input.locked?.npm.find((item) => item.name === name && item.version === version);
    // A published version never changes: other bytes under the same version are an attack, not drift.
    if (known !== undefined && known.integrity !== integrity && input.lock !== 'update') {
      throw new CofferdamError('IMAGE_DIGEST', `${printable(spec)} is not the file that lock.json names`);
    }
    fetched.push({ name, version, integrity });
    list += `${layout} ${name} ${file}\n`;
  }
  writeFileSync(join(folder, 'packages'), list);
  return fetched;
}

/**
 * Puts wheels and npm tarballs under `work/extra` and returns what they are. pip runs no code of theirs (wheels only),
 * npm neither (no scripts). Throws TOOL_FAILED, IMAGE_DIGEST.
 */
export async function fetchExtras(input: ExtrasInput): Promise<Pick<Lock, 'pypi' | 'npm'>> {
  const folders = { pypi: join(input.work, 'extra/pypi'), npm: join(input.work, 'extra/npm') };
  for (const folder of [join(input.work, 'extra'), folders.pypi, folders.npm]) mkdirSync(folder);
  const files = join(input.folder, 'files');
  if (existsSync(files)) cpSync(files, join(input.work, 'extra/files'), { recursive: true, verbatimSymlinks: true });
  const fetched = { pypi: await fetchWheels(input, folders.pypi), npm: await fetchNpm(input, folders.npm) };
  // The build user reads these as another uid, whatever umask the clients had.
  await runTool('chmod', ['-R', 'u=rwX,go=rX', join(input.work, 'extra')]);
  return fetched;
}
