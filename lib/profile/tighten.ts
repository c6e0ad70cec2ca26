// Owns what "may only tighten" means, key by key: the comparison of a profile with the one it extends.
import { isDeepStrictEqual } from 'node:util';
import { formatDuration, formatSize } from '../base/units.ts';
import type { KeyPath } from '../base/yaml.ts';
import type { Profile } from './schema.ts';

/** Why `child` is looser than `parent`, or undefined. */
type Rule<T> = (parent: T, child: T, profiles: { parent: Profile; child: Profile }) => string | undefined;

/** One rule for every key of `T`: a key of the schema without one doesn't compile. */
type Rules<T> = {
  [K in keyof T]-?: [NonNullable<T[K]>] extends [string | number | boolean | readonly unknown[]]
    ? Rule<T[K]>
    : string extends keyof NonNullable<T[K]>
      ? Rule<T[K]>
      : Rules<NonNullable<T[K]>>;
};

type Format = (value: number) => string;

/** Changing it gives the guest nothing of the host and no more of it. */
const free: Rule<unknown> = () => undefined;

const atMost =
  (format: Format = String): Rule<number> =>
  (parent, child) =>
    child <= parent ? undefined : `${format(child)} is more than ${format(parent)}`;

/** For bounds that may be left out: nothing is no bound at all. */
const boundAtMost =
  (format: Format): Rule<number | undefined> =>
  (parent, child) => {
    if (parent === undefined) return undefined;
    if (child === undefined) return `no bound, where there is one of ${format(parent)}`;
    return atMost(format)(parent, child, undefined as never);
  };

/** `order` goes from tightest to loosest; a value that is not in it stands beside all and may only stay. */
const inOrder =
  <T extends string>(order: readonly T[]): Rule<T> =>
  (parent, child) => {
    if (child === parent || child === order[0]) return undefined;
    const [from, to] = [order.indexOf(parent), order.indexOf(child)];
    return from >= 0 && to >= 0 && to < from ? undefined : `${child} is looser than ${parent}`;
  };

/** Every entry of the child is one of the parent's (`same` decides). */
const subset =
  <T>(show: (entry: T) => string, same: (parent: T, child: T) => boolean = isDeepStrictEqual): Rule<readonly T[]> =>
  (parent, child) => {
    const added = child.find((entry) => !parent.some((known) => same(known, entry)));
    return added === undefined ? undefined : `${show(added)} is not among those of the parent`;
  };

/** Without a list there is no narrowing at all; with one, every entry is one of the parent's. */
const narrower: Rule<readonly string[] | undefined> = (parent, child, profiles) => {
  if (parent === undefined) return undefined;
  return child === undefined ? 'the list is gone' : subset<string>((pattern) => pattern)(parent, child, profiles);
};

const pin: Rule<string | undefined> = (parent, child) => {
  if (parent === undefined || parent === child) return undefined;
  return child === undefined ? 'the pin is gone' : 'the pin is another one';
};

const principal: Rule<string | undefined> = (parent, child, profiles) =>
  parent === child || profiles.child.network.mode === 'none'
    ? undefined
    : `rules of ${child ?? 'the profile itself'} in place of ${parent ?? 'the profile itself'}`;

export const tightenRules: Rules<Profile> = {
  extends: free,
  description: free,
  image: { name: free, digest: pin },
  engine: free,
  isolation: inOrder(['gvisor', 'process']),
  user: { uid: free, gid: free },
  workdir: free,
  env: free,
  workspace: {
    // scratch holds nothing of the host; copy shows a folder as it was; ro shows it live, sockets and all; rw writes to
    // it. task is none of these: it joins runs, so only a profile that already does may.
    mode: inOrder<Profile['workspace']['mode']>(['scratch', 'copy', 'ro', 'rw']),
    size: atMost(formatSize),
    inodes: atMost(),
  },
  artifacts: {
    paths: subset((path) => path),
    size: atMost(formatSize),
    maxCount: atMost(),
    maxBytes: atMost(formatSize),
    maxDepth: atMost(),
  },
  tmpfs: { tmp: atMost(formatSize), run: atMost(formatSize), inodes: atMost() },
  mounts: subset(
    ({ source, target, mode }) => `${source} at ${target} (${mode})`,
    (parent, child) =>
      parent.source === child.source &&
      parent.target === child.target &&
      (parent.mode === child.mode || child.mode === 'ro'),
  ),
  limits: {
    memory: atMost(formatSize),
    cpus: atMost(),
    pids: atMost(),
    io: { readBytesPerSecond: boundAtMost(formatSize), writeBytesPerSecond: boundAtMost(formatSize) },
    openFiles: atMost(),
    fileSize: atMost(formatSize),
    timeout: atMost(formatDuration),
    idle: boundAtMost(formatDuration),
    enforce: inOrder(['strict', 'best-effort']),
  },
  output: { stdout: atMost(formatSize), stderr: atMost(formatSize) },
  network: {
    mode: inOrder(['none', 'proxy', 'bridge']),
    principal,
    offlineEnv: free,
    allow: narrower,
    onDeny: inOrder(['fail', 'ask']),
  },
  services: subset(({ name, port }) => `${name} at port ${port}`),
  ports: subset(({ container, host, name }) => `${container} at the host's ${name ?? ''}:${host}`),
  seccomp: inOrder(['default']),
  labels: free,
};

export interface Loosened {
  readonly path: KeyPath;
  readonly reason: string;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** Every key in which `child` is looser than `parent`; both are resolved. None: it only tightens. */
export function findLoosened(parent: Profile, child: Profile): Loosened[] {
  const walk = (rules: object, before: unknown, after: unknown, path: readonly string[]): Loosened[] =>
    Object.entries(rules).flatMap(([key, rule]: [string, object | Rule<unknown>]) => {
      const [was, is] = [member(before, key), member(after, key)];
      const here = [...path, key];
      if (typeof rule !== 'function') return walk(rule, was, is, here);
      const reason = rule(was, is, { parent, child });
      return reason === undefined ? [] : [{ path: here, reason }];
    });
  return walk(tightenRules, parent, child, []);
}
