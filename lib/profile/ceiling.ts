// Owns holding a profile to the host's ceiling: what a person asks for beyond it is refused, what we ship is lowered.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { keyText } from '../base/strict.ts';
import { formatDuration, formatSize } from '../base/units.ts';
import type { KeyPath } from '../base/yaml.ts';
import type { HostConfig } from './hostConfig.ts';
import type { Profile } from './schema.ts';

interface Bound {
  readonly path: KeyPath;
  readonly host: KeyPath;
  readonly asked: (profile: Profile) => number;
  readonly most: (host: HostConfig) => number;
  readonly lower: (profile: Profile, most: number) => void;
  readonly format: (value: number) => string;
}

type LimitName = 'memory' | 'cpus' | 'pids' | 'openFiles' | 'fileSize' | 'timeout';

const limit = (name: LimitName, format: (value: number) => string = String): Bound => ({
  path: ['limits', name],
  host: ['limits', name],
  asked: (profile) => profile.limits[name],
  most: (host) => host.limits[name],
  lower: (profile, most) => {
    profile.limits[name] = most;
  },
  format,
});

const output = (name: 'stdout' | 'stderr'): Bound => ({
  path: ['output', name],
  host: ['maxOutputBytes'],
  asked: (profile) => profile.output[name],
  most: (host) => host.maxOutputBytes,
  lower: (profile, most) => {
    profile.output[name] = most;
  },
  format: formatSize,
});

/** tmpfs and workspace sizes need no bound of their own: they are charged to memory. */
const bounds: readonly Bound[] = [
  limit('memory', formatSize),
  limit('cpus'),
  limit('pids'),
  limit('openFiles'),
  limit('fileSize', formatSize),
  limit('timeout', formatDuration),
  output('stdout'),
  output('stderr'),
  {
    path: ['artifacts', 'maxBytes'],
    host: ['maxArtifactBytes'],
    asked: (profile) => profile.artifacts.maxBytes,
    most: (host) => host.maxArtifactBytes,
    lower: (profile, most) => {
      profile.artifacts.maxBytes = most;
    },
    format: formatSize,
  },
];

/** Where a person asked for the key (`file:line:col`, `--memory`), or undefined when it is a default that we ship. */
export type AskedBy = (path: KeyPath) => string | undefined;

function isBelow(path: string, root: string): boolean {
  const trimmed = root.replace(/\/$/, '');
  return path.replace(/\/$/, '') === trimmed || path.startsWith(`${trimmed}/`);
}

/**
 * Why each mount is not permitted. `realPath` follows links, so that a link below a root leads nowhere else. A link that
 * is changed after this check is the launcher's to catch: what it opens is what it mounts.
 */
function* forbiddenMounts(profile: Profile, host: HostConfig, realPath: (path: string) => string) {
  for (const [i, { source, mode }] of profile.mounts.entries()) {
    const path = ['mounts', i];
    const within = host.mountRoots.some((root) => isBelow(source, root) && isBelow(realPath(source), realPath(root)));
    if (!within) {
      const roots = host.mountRoots.length === 0 ? 'none' : host.mountRoots.join(', ');
      yield { path, host: ['mountRoots'], reason: `${source} is not below a mount root of this host (${roots})` };
    } else if (mode === 'rw' && !host.workspaceModes.includes('rw')) {
      yield { path, host: ['workspaceModes'], reason: 'rw is not a mode of this host' };
    }
  }
}

function* forbidden(profile: Profile, host: HostConfig, realPath: (path: string) => string) {
  const { mode } = profile.workspace;
  // `task` is refused elsewhere, as not enforced yet; the host's list does not know it.
  if (mode !== 'scratch' && mode !== 'task' && !host.workspaceModes.includes(mode)) {
    const modes = ['scratch', ...host.workspaceModes.filter((allowed) => allowed !== 'scratch')].join(', ');
    yield {
      path: ['workspace', 'mode'],
      host: ['workspaceModes'],
      reason: `${mode} is not a mode of this host (${modes})`,
    };
  }
  if (host.requireImageDigest && profile.image.digest === undefined) {
    yield { path: ['image'], host: ['requireImageDigest'], reason: 'this host requires the digest of the image' };
  }
  if (profile.limits.enforce === 'best-effort' && !host.limits.bestEffort) {
    yield {
      path: ['limits', 'enforce'],
      host: ['limits', 'bestEffort'],
      reason: 'best-effort is not permitted on this host',
    };
  }
  yield* forbiddenMounts(profile, host, realPath);
}

export interface Held {
  readonly profile: Profile;
  /** One line for each default that was lowered: `limits.memory: 2g lowered to 1g (/etc/cofferdam/config.yaml:3:5)`. */
  readonly lowered: readonly string[];
}

/**
 * `profile` within the ceiling. Throws HOST_FORBIDS, with all findings, for what a person asked for; a default of ours is
 * lowered, because a host with less than our defaults would otherwise refuse every profile.
 */
export function holdToCeiling(
  profile: Profile,
  host: HostConfig,
  askedBy: AskedBy,
  realPath: (path: string) => string = (path) => path,
): Held {
  const held = structuredClone(profile);
  const lowered: string[] = [];
  const refused: string[] = [];
  for (const { path, host: hostPath, asked, most, lower, format } of bounds) {
    const [value, bound] = [asked(profile), most(host)];
    if (value <= bound) continue;
    const place = askedBy(path);
    const ceiling = host.where(hostPath);
    if (place === undefined) {
      lower(held, bound);
      lowered.push(`${keyText(path)}: ${format(value)} lowered to ${format(bound)} (${ceiling})`);
    } else {
      refused.push(
        `${place}  ${keyText(path)}: ${format(value)} is more than this host's ${format(bound)} (${ceiling})`,
      );
    }
  }
  for (const { path, host: hostPath, reason } of forbidden(profile, host, realPath)) {
    const place = askedBy(path);
    refused.push(
      `${place === undefined ? '' : `${place}  `}${keyText(path)}: ${printable(reason, 400)} (${host.where(hostPath)})`,
    );
  }
  if (refused[0] !== undefined) throw new CofferdamError('HOST_FORBIDS', refused[0], { details: refused });
  return { profile: held, lowered };
}
