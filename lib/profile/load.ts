// Owns loading a profile: find, follow `extends`, resolve, hold to the host's ceiling.
import { realpathSync } from 'node:fs';
import type { KeyPath } from '../base/yaml.ts';
import { holdToCeiling } from './ceiling.ts';
import { findSource, followExtends, resolveChain } from './extend.ts';
import type { FindRequest } from './find.ts';
import type { Profile } from './schema.ts';

export interface LoadRequest extends FindRequest {
  /** A name, or a path to a file when it holds a `/`. */
  readonly profile: string;
}

export interface LoadedProfile {
  readonly name: string;
  /** Every key present, sizes in bytes, durations in ms. */
  readonly profile: Profile;
  /** Every file that was read, absolute: the host configuration when it exists, the profile, its parents. */
  readonly files: readonly string[];
  /** Files that do not exist and would change the result if they did: a cached plan must notice when they appear. */
  readonly absent: readonly string[];
  /** Defaults that the host's ceiling lowered, a line each. */
  readonly lowered: readonly string[];
  /** `file:line:column` of the key, in the file that sets it; where none does, of its nearest parent. */
  where(path: KeyPath): string;
  /** The same when a file does set the key; undefined when its value is a default. */
  statedAt(path: KeyPath): string | undefined;
}

function followLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // What does not exist leads nowhere; that it is missing is the launcher's finding.
    return path;
  }
}

/**
 * Loads a profile. Throws PROFILE_UNKNOWN, PROFILE_AMBIGUOUS, PROFILE_CYCLE, PROFILE_LOOSENS, HOST_FORBIDS,
 * CONFIG_UNREADABLE, YAML_INVALID, CONFIG_INVALID, ENV_SECRET or ENV_INVALID; each names file and line where there is one.
 */
export function loadProfile(request: LoadRequest): LoadedProfile {
  const { ceiling } = request;
  const { sources, absent } = followExtends(request.profile, request);
  const resolved = resolveChain(sources, { engine: ceiling.engine });
  const stated = (path: KeyPath) => {
    const { source, depth } = findSource(sources, path);
    return depth < path.length ? undefined : source;
  };
  const askedBy = (path: KeyPath) => {
    const source = stated(path);
    return source?.origin === 'shipped' ? undefined : source?.document.where(path);
  };
  const { profile, lowered } = holdToCeiling(resolved, ceiling, askedBy, followLinks);
  return {
    name: sources[0]?.name ?? request.profile,
    profile,
    files: [...(ceiling.present ? [ceiling.file] : []), ...sources.map(({ file }) => file)],
    absent: [...new Set([...(ceiling.present ? [] : [ceiling.file]), ...absent])],
    lowered,
    where: (path) => findSource(sources, path).source.document.where(path),
    statedAt: (path) => stated(path)?.document.where(path),
  };
}
