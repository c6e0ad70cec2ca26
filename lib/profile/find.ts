// Owns which file a profile name or path stands for, and whose file it is.
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { type Distrust, readTextIfPresent } from '../base/files.ts';
import { didYouMean } from '../base/nearest.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { parseStrict } from '../base/strict.ts';
import { type Located, parseYaml } from '../base/yaml.ts';
import { checkEnvironment } from './environment.ts';
import { distrustOthers, type HostConfig } from './hostConfig.ts';
import { profileSchema } from './schema.ts';

/** shipped: of this package; host: beside the host configuration; user: of the caller. */
export type ProfileOrigin = 'shipped' | 'host' | 'user';

export interface ProfileSource {
  readonly name: string;
  readonly file: string;
  readonly origin: ProfileOrigin;
  readonly document: Located;
  /** The keys as they stand in the file. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface FindRequest {
  readonly cwd: string;
  readonly paths: Paths;
  readonly ceiling: HostConfig;
  /** Effective uid of the caller: a user's profile belongs to this uid or to root. */
  readonly uid: number;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

interface Candidate {
  readonly file: string;
  readonly origin: ProfileOrigin;
}

function folders({ paths }: FindRequest): { folder: string; origin: ProfileOrigin }[] {
  const host = join(dirname(paths.hostConfig), 'profiles');
  const user = join(paths.config, 'profiles');
  return [
    // Root's own folder is the host's.
    ...(user === host ? [] : [{ folder: user, origin: 'user' as const }]),
    { folder: host, origin: 'host' },
    { folder: join(paths.install, 'profiles'), origin: 'shipped' },
  ];
}

/** Every profile name there is, with the file it stands for; for lists and for "did you mean". */
export function listProfiles(request: FindRequest): { name: string; file: string; origin: ProfileOrigin }[] {
  const found = folders(request).flatMap(({ folder, origin }) => {
    let entries: string[];
    try {
      entries = readdirSync(folder);
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return [];
      throw new CofferdamError('CONFIG_UNREADABLE', `cannot read ${folder}: ${messageOf(cause)}`, { cause });
    }
    return entries
      .filter((entry) => entry.endsWith('.yaml') && namePattern.test(entry.slice(0, -5)))
      .map((entry) => ({ name: entry.slice(0, -5), file: join(folder, entry), origin }));
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function distrust(origin: ProfileOrigin, request: FindRequest): Distrust | undefined {
  // Who can write to the package's profiles can write to its programs too: a check here would protect nothing.
  if (origin === 'shipped') return undefined;
  if (origin === 'host') return distrustOthers(request.ceiling.owner);
  return (owner) => distrustOthers(owner.uid === 0 ? 0 : request.uid)(owner);
}

function read(name: string, { file, origin }: Candidate, request: FindRequest): ProfileSource | undefined {
  const text = readTextIfPresent(file, 1 << 20, distrust(origin, request));
  if (text === undefined) return undefined;
  if (origin === 'user' && !request.ceiling.allowUserProfiles) {
    const place = request.ceiling.where(['allowUserProfiles']);
    throw new CofferdamError('HOST_FORBIDS', `${printable(file)}: profiles of users are not allowed here (${place})`);
  }
  const document = parseYaml(text, printable(file, 1000));
  parseStrict(profileSchema, document);
  const raw = (document.value ?? {}) as Readonly<Record<string, unknown>>;
  checkEnvironment((raw['env'] ?? {}) as Record<string, string>, (key) => `${document.where(['env', key])}  `);
  const { offlineEnv = {} } = (raw['network'] ?? {}) as { readonly offlineEnv?: Record<string, string> };
  checkEnvironment(offlineEnv, (key) => `${document.where(['network', 'offlineEnv', key])}  `);
  return { name, file, origin, document, raw };
}

/** Whether there is something. Throws CONFIG_UNREADABLE when that can't be seen: what is hidden is not taken for absent. */
function exists(file: string): boolean {
  // No file has such a name, and the call would say so in its own words.
  if (file.includes('\0')) return false;
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOTDIR') return false;
    throw new CofferdamError('CONFIG_UNREADABLE', `cannot read ${printable(file)}: ${messageOf(cause)}`, { cause });
  }
}

function unknown(profile: string, request: FindRequest, text: string): CofferdamError {
  const names = [...new Set(listProfiles(request).map(({ name }) => name))];
  const near = didYouMean(profile, names);
  const here = !profile.includes('/') && exists(resolve(request.cwd, profile));
  return new CofferdamError('PROFILE_UNKNOWN', `${text}${near}`, here ? { remedy: `for the file: ./${profile}` } : {});
}

function sameFile(a: string, b: string): boolean {
  return realpathSync(a) === realpathSync(b);
}

export interface Found {
  readonly source: ProfileSource;
  /** Other files that this name could have stood for, and which do not exist. */
  readonly absent: readonly string[];
}

/**
 * The profile that `profile` names: a path when it holds a `/` (relative to `cwd`), else a name searched in the user's,
 * the host's and the package's folder. Found in two of them it is refused: a copy of "python-tools" that silently stands
 * in for the shipped one (and for its rules of egress) is a trap. Throws PROFILE_UNKNOWN, PROFILE_AMBIGUOUS,
 * HOST_FORBIDS, CONFIG_UNREADABLE, YAML_INVALID, CONFIG_INVALID, ENV_SECRET, ENV_INVALID.
 */
export function findProfile(profile: string, request: FindRequest): Found {
  const isPath = profile.includes('/');
  const path = resolve(request.cwd, profile);
  const name = isPath ? basename(path).replace(/\.ya?ml$/, '') : profile;
  if (isPath ? !exists(path) : !namePattern.test(name)) {
    const text = isPath ? `no profile at ${printable(path)}` : `no profile is named "${printable(profile)}"`;
    throw unknown(profile, request, text);
  }
  if (!namePattern.test(name)) {
    throw new CofferdamError('CONFIG_INVALID', `${printable(path)}: its file name is not a profile name`, {
      remedy: 'name it with lower-case letters, digits, ".", "_" and "-", and .yaml at the end',
    });
  }
  const named: Candidate[] = folders(request).map(({ folder, origin }) => ({
    file: join(folder, `${name}.yaml`),
    origin,
  }));
  const own = named.find(({ file }) => exists(file) && isPath && sameFile(file, path));
  const candidates: Candidate[] = isPath && own === undefined ? [{ file: path, origin: 'user' }, ...named] : named;
  const present = candidates.filter(({ file }) => exists(file));
  const [first, ...others] = present;
  if (first === undefined) throw unknown(profile, request, `no profile is named "${printable(profile)}"`);
  const other = others.find(({ file }) => !sameFile(file, first.file));
  if (other !== undefined) {
    const files = `${printable(first.file)} and ${printable(other.file)}`;
    throw new CofferdamError('PROFILE_AMBIGUOUS', `two profiles are named "${name}": ${files}`);
  }
  const source = read(name, first, request);
  if (source === undefined) throw unknown(profile, request, `no profile is named "${printable(profile)}"`);
  const absent = candidates.filter((candidate) => !present.includes(candidate)).map(({ file }) => file);
  return { source, absent };
}
