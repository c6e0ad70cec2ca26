// Owns `extends`: the chain of files, their merge, and the refusal of a child that is looser than its parent.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { inFileOrder, keyText } from '../base/strict.ts';
import type { KeyPath } from '../base/yaml.ts';
import { type FindRequest, findProfile, type ProfileSource } from './find.ts';
import { type Profile, profileSchema } from './schema.ts';
import { findLoosened } from './tighten.ts';

const mostDepth = 8;

export interface Chain {
  /** The profile asked for, the one it extends, and so on. */
  readonly sources: readonly ProfileSource[];
  readonly absent: readonly string[];
}

/** Follows `extends` from `profile`. Throws what findProfile throws, and PROFILE_CYCLE for a circle or more than 8 files. */
export function followExtends(profile: string, request: FindRequest): Chain {
  const sources: ProfileSource[] = [];
  const absent: string[] = [];
  for (let next: string | undefined = profile; next !== undefined; ) {
    const child = sources.at(-1);
    const found = findParent(next, child, request);
    if (sources.some(({ file }) => file === found.source.file)) {
      const circle = [...sources, found.source].map(({ name }) => name).join(' → ');
      throw new CofferdamError('PROFILE_CYCLE', `${child?.document.where(['extends'])}  extends: ${circle}`);
    }
    sources.push(found.source);
    absent.push(...found.absent);
    if (sources.length > mostDepth) {
      const place = child?.document.where(['extends']);
      throw new CofferdamError('PROFILE_CYCLE', `${place}  extends: more than ${mostDepth} profiles in one chain`);
    }
    const parent = found.source.raw['extends'];
    next = typeof parent === 'string' ? parent : undefined;
  }
  return { sources, absent };
}

function findParent(name: string, child: ProfileSource | undefined, request: FindRequest) {
  try {
    return findProfile(name, request);
  } catch (cause) {
    if (child === undefined || !(cause instanceof CofferdamError) || cause.code !== 'PROFILE_UNKNOWN') throw cause;
    const text = `${child.document.where(['extends'])}  extends: ${cause.message}`;
    throw new CofferdamError('PROFILE_UNKNOWN', text, { cause });
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `child` over `parent`: maps merge, everything else replaces. Keys are plain: "__proto__" is refused in base/yaml.ts. */
export function mergeKeys(parent: unknown, child: unknown): unknown {
  if (!isMap(parent) || !isMap(child)) return child;
  const merged: Record<string, unknown> = { ...parent };
  for (const [key, value] of Object.entries(child)) {
    merged[key] = Object.hasOwn(parent, key) ? mergeKeys(parent[key], value) : value;
  }
  return merged;
}

/** What a file passes on to the profiles that extend it: not what it says about itself. */
function inherited({ extends: _parent, description: _about, ...keys }: Readonly<Record<string, unknown>>) {
  return keys;
}

/** The longest part of `path` that stands in a file, and in which: the child's file before its parents'. */
export function findSource(sources: readonly ProfileSource[], path: KeyPath): { source: ProfileSource; depth: number } {
  const depthIn = (value: unknown): number => {
    let found = value;
    for (const [depth, step] of path.entries()) {
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return depth;
      found = (found as Record<string | number, unknown>)[step];
    }
    return path.length;
  };
  const [first, ...rest] = sources.map((source) => ({ source, depth: depthIn(source.raw) }));
  if (first === undefined) throw new CofferdamError('INTERNAL', 'a profile without a file');
  return rest.reduce((best, next) => (next.depth > best.depth ? next : best), first);
}

function refuseLooser(parent: Profile, child: Profile, sources: readonly ProfileSource[]): void {
  const [own, ...parents] = sources;
  if (own === undefined || parents.length === 0) return;
  const found = findLoosened(parent, child).map(({ path, reason }) => {
    const stated = findSource(parents, path);
    const compared = stated.depth === path.length ? stated.source.document.where(path) : 'the default';
    const name = parents[0]?.name ?? '';
    return `${own.document.where(path)}  ${keyText(path)}: ${printable(reason)} (profile ${name}, ${compared})`;
  });
  const lines = inFileOrder(found);
  if (lines[0] !== undefined) throw new CofferdamError('PROFILE_LOOSENS', lines[0], { details: lines });
}

/**
 * The profile that the chain stands for, with every key; `defaults` are keys for when no file has them. Each file is
 * compared with what its parents come to. Throws PROFILE_LOOSENS with all loosened keys.
 */
export function resolveChain(
  sources: readonly ProfileSource[],
  defaults: Readonly<Record<string, unknown>> = {},
): Profile {
  let merged: unknown = defaults;
  let resolved: Profile | undefined;
  for (let i = sources.length - 1; i >= 0; i--) {
    const raw = sources[i]?.raw ?? {};
    merged = mergeKeys(inherited(merged as Readonly<Record<string, unknown>>), raw);
    const next = profileSchema.parse(merged);
    if (resolved !== undefined) refuseLooser(resolved, next, sources.slice(i));
    resolved = next;
  }
  if (resolved === undefined) throw new CofferdamError('INTERNAL', 'a profile without a file');
  return resolved;
}
