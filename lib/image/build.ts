// Owns building an image: bootstrap, unpack, digest, describe, publish. Its steps in order are the function at the end.
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { digestTree } from './archive.ts';
import { bootstrap } from './bootstrap.ts';
import { chooseBuildUser, readAccounts } from './builduser.ts';
import type { LoadedDefinition } from './definition.ts';
import { parseStatus } from './dpkg.ts';
import { extractTar } from './extract.ts';
import { fetchExtras } from './extras.ts';
import { hostArchitecture } from './find.ts';
import { compareLock, type Lock, lockPath, readLock, renderLock } from './lock.ts';
import { openPartial } from './partial.ts';
import { publishImage } from './publish.ts';
import type { ImageRecord } from './registry.ts';
import { checkRootfs } from './rootfs.ts';
import { renderSbom } from './sbom.ts';
import { makeSharedFolder, writeSharedFile } from './shared.ts';
import { describeSoftware, isDescribed } from './software.ts';
import { readMirrors, renderSources } from './sources.ts';

export interface BuildInput {
  readonly definition: LoadedDefinition;
  readonly store: string;
  /** The package's folder: images/normalise.sh is below it. */
  readonly install: string;
  /** Uid of the caller. */
  readonly uid: number;
  readonly lock: 'report' | 'require' | 'update';
  /** A deb822 file that names Debian's archives where the host's own configuration does not. */
  readonly sourcesOverride: string;
  /** Proxy and package-client settings of the caller, passed to apt, pip and npm. */
  readonly env: Readonly<Record<string, string>>;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

/** The host's proxy and CA settings for apt: mmdebstrap starts from none. */
async function hostAptOptions(): Promise<string[]> {
  const wanted = ['Acquire::http::Proxy', 'Acquire::https::Proxy', 'Acquire::https::CAInfo'];
  const { stdout } = await runTool('apt-config', ['dump', '--no-empty', '--format', '%F "%v"%n', ...wanted]);
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Builds an image and publishes it. Throws IMAGE_BUILD, IMAGE_UNSAFE, IMAGE_DIGEST (drift with `require`), DISK_FULL,
 * HOST_UNPREPARED; on any of them, and when `signal` is aborted, the store is as it was.
 */
export async function buildImage(input: BuildInput): Promise<{ record: ImageRecord; lock: Lock }> {
  const { definition, store, uid, signal, onStep } = input;
  const { image } = definition;
  const arch = hostArchitecture();
  const user = chooseBuildUser(uid, readAccounts());
  const mirrors = readMirrors('/etc/apt', input.sourcesOverride);
  const locked = readLock(definition.folder, arch);
  if (input.lock === 'require' && locked === undefined) {
    throw new CofferdamError('IMAGE_DIGEST', `${image.name} has no lock for ${arch}`, {
      remedy: `write one: sandbox image build ${image.name} --update-lock`,
    });
  }
  const partial = await openPartial(store, uid, user);
  try {
    const extras = await fetchExtras({ ...input, image, folder: definition.folder, arch, locked, work: partial.work });
    const tar = await bootstrap({
      image,
      sources: renderSources(mirrors, image.base.suite),
      user,
      uid,
      work: partial.work,
      lockFile: partial.lockFile,
      hooks: [join(input.install, 'images/extras.sh'), join(input.install, 'images/normalise.sh')],
      aptOptions: await hostAptOptions(),
      env: input.env,
      signal,
      onStep,
    });
    onStep('unpacking');
    const rootfs = join(partial.image, 'rootfs');
    makeSharedFolder(rootfs);
    const omit = ['dev', 'proc', 'sys', 'run', 'tmp'];
    const captured = await extractTar(tar, rootfs, { setId: 'strip', omit, capture: isDescribed, signal });
    checkRootfs(rootfs);
    onStep('computing the digest');
    const { digest, bytes } = await digestTree(rootfs, signal);
    const status = captured.get('var/lib/dpkg/status')?.toString('utf8') ?? '';
    const lock: Lock = { format: 1, debian: parseStatus(status), pypi: extras.pypi, npm: extras.npm };
    const drift = locked === undefined ? [] : compareLock(locked, lock);
    if (input.lock === 'require' && drift.length > 0) {
      throw new CofferdamError('IMAGE_DIGEST', `${image.name}: ${drift.length} packages differ from the lock`, {
        details: drift,
        remedy: `accept them: sandbox image build ${image.name} --update-lock`,
      });
    }
    const record: ImageRecord = {
      name: image.name,
      version: image.version,
      description: image.description,
      digest,
      arch,
      suite: image.base.suite,
      builtAt: input.now().toISOString(),
      bytes,
      capabilities: image.capabilities,
      labels: image.labels,
      allowed: image.allowed,
      drift: input.lock === 'update' ? [] : drift,
    };
    const software = describeSoftware(captured, lock);
    const write = (name: string, value: unknown) =>
      writeSharedFile(join(partial.image, name), `${JSON.stringify(value, null, 2)}\n`);
    write('image.json', record);
    write('packages.json', software);
    write('sbom.cdx.json', renderSbom(record, software));
    signal.throwIfAborted();
    onStep('publishing');
    const published = await publishImage(store, partial.image, record);
    if (input.lock === 'update') writeSharedFile(lockPath(definition.folder, arch), renderLock(lock));
    return { record: published, lock };
  } finally {
    await partial.close();
  }
}
