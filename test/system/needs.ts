// Owns what system tests need of the host: declared as data, and a test fails, never skips, when something is missing.
import { findTool } from '../../lib/engine/tools.ts';
import { findImage } from '../../lib/image/find.ts';
import { sceneOf } from './scene.ts';

/** Host program → Debian package. */
const packages = {
  crun: 'crun',
  script: 'bsdutils',
  unshare: 'util-linux',
  ip: 'iproute2',
  mkfifo: 'coreutils',
  python3: 'python3',
  shellcheck: 'shellcheck',
  docker: 'docker.io',
  nsenter: 'util-linux',
  podman: 'podman',
  runsc: 'runsc',
  squid: 'squid',
  strace: 'strace',
} as const;

type Image = 'base-tools' | 'python-tools' | 'node-tools' | 'go-tools' | 'secops-tools';
export type Need = keyof typeof packages | Image;

function findLack(need: Need): string | undefined {
  if (need in packages) {
    const name = packages[need as keyof typeof packages];
    return findTool(need) === undefined ? `${need} is missing: apt-get install ${name}` : undefined;
  }
  try {
    findImage(need, sceneOf('root').paths.imageStores);
    return undefined;
  } catch {
    return `the image is missing: sandbox image build ${need}`;
  }
}

/** Throws, naming all that is missing and what to do; always also root and the plain user of the scene. */
export function declareNeeds(...needs: readonly Need[]): void {
  sceneOf('plain user');
  const lacking = needs.map(findLack).filter((lack) => lack !== undefined);
  if (lacking.length > 0) throw new Error(lacking.join('\n'));
}
