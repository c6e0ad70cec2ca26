// Owns the guarded places of one writable folder: which exist before a run, and which are new or changed after it.
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import {
  at,
  type BytePath,
  decodePath,
  folderPath,
  fromBytes,
  openFolder,
  openRoot,
  showPath,
  withParent,
} from './beneath.ts';
import { findEntries } from './findEntries.ts';
import { findConfigured } from './gitConfigured.ts';
import { type Entry, guardedTests, selectGuarded } from './guardedPlaces.ts';

/** What a guarded place was: compared as a whole, never read apart. */
type Mark = string;

export interface GuardedMarks {
  readonly places: ReadonlyMap<BytePath, Mark>;
  /** Places that git's settings name and that did not exist. */
  readonly expected: readonly BytePath[];
}

/** Each is one bind mount. */
const mostGuarded = 128;
/** Files with several names whose content is compared, per place. */
const mostLinked = 2000;

function digestOf(folder: number, name: BytePath): string {
  const fd = openSync(at(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1 << 16);
    for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) hash.update(buffer.subarray(0, got));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

function identity(found: BigIntStats): string {
  // The time of birth tells a file from its successor under the same inode number.
  return `${found.mode} ${found.dev} ${found.ino} ${found.birthtimeNs}`;
}

// A read-only mount does not protect a file that has another name elsewhere in the folder: those are compared by content.
function markLinked(folder: number, name: BytePath, marks: string[]): void {
  const inner = openFolder(folder, name);
  try {
    for (const entry of readdirSync(folderPath(inner), { encoding: 'buffer' }).map(fromBytes).sort()) {
      const found = lstatSync(at(inner, entry), { bigint: true });
      if (found.isDirectory()) markLinked(inner, entry, marks);
      else if (found.isFile() && found.nlink > 1n) marks.push(`${entry} ${digestOf(inner, entry)}`);
      if (marks.length > mostLinked) return;
    }
  } finally {
    closeSync(inner);
  }
}

/** The mark of a place, or undefined when nothing is there. */
function markPlace(root: number, path: BytePath): Mark | undefined {
  try {
    return withParent(root, path, (folder, name) => {
      const found = lstatSync(at(folder, name), { bigint: true });
      const marks = [identity(found)];
      if (found.isFile()) marks.push(digestOf(folder, name));
      if (found.isDirectory()) markLinked(folder, name, marks);
      return marks.join('\n');
    });
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    throw cause;
  }
}

function checkPlace({ type, path }: Entry): string {
  const text = decodePath(path);
  const refuse = (why: string) =>
    new CofferdamError('WORKSPACE_INVALID', `${showPath(path)} in the workspace runs code on this host and ${why}`, {
      remedy: 'mount a copy instead: --workspace DIR:copy',
    });
  if (text === undefined) throw refuse('has a name that is not UTF-8, so it cannot be mounted read-only');
  // A bind mount follows the link: what it protects would be another place than the one that is read later.
  if (type === 'l') throw refuse('is a symbolic link, which cannot be held read-only');
  if (type !== 'f' && type !== 'd') throw refuse('is neither a file nor a folder');
  return text;
}

async function listGuarded(root: string, signal: AbortSignal): Promise<Entry[]> {
  return selectGuarded(await findEntries({ root, tests: guardedTests, signal }));
}

export interface Guarded {
  /** Paths below the folder that exist and become read-only mounts, sorted; at most 128. */
  readonly paths: readonly string[];
  /** To be handed to findNew after the run. */
  readonly marks: GuardedMarks;
}

/**
 * The guarded places that exist in `source`, an absolute real path. Throws WORKSPACE_INVALID for more than 128, for one that
 * is a link or has no UTF-8 name, and for a folder that cannot be looked through.
 */
export async function findGuarded(source: string, signal: AbortSignal): Promise<Guarded> {
  const listed = await listGuarded(source, signal);
  const configured = await findConfigured(source, listed, signal);
  const entries = new Map([...listed, ...configured.present].map((entry) => [entry.path, entry]));
  const outermost = [...entries.values()]
    .filter(({ path }) => ![...entries.keys()].some((other) => path.startsWith(`${other}/`)))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  if (outermost.length > mostGuarded) {
    throw new CofferdamError(
      'WORKSPACE_INVALID',
      `the workspace holds ${outermost.length} places that run code on this host; at most ${mostGuarded} are held read-only`,
      { remedy: 'mount a copy instead: --workspace DIR:copy; or name a smaller folder' },
    );
  }
  const paths = outermost.map(checkPlace);
  const root = openRoot(source);
  try {
    const places = new Map(outermost.map(({ path }) => [path, markPlace(root, path) ?? 'gone']));
    return { paths, marks: { places, expected: configured.absent } };
  } finally {
    closeSync(root);
  }
}

/**
 * The guarded places below `root` (open, of `source`) that are not what they were, outermost first. A place the host itself
 * changed meanwhile is among them: nobody can tell, because replacing a file on the host takes the read-only mount
 * off it (rename(2) onto a mount point of another namespace detaches the mount).
 */
export async function findNew(
  source: string,
  root: number,
  before: GuardedMarks,
  signal: AbortSignal,
): Promise<Entry[]> {
  const after = await listGuarded(source, signal);
  const known = new Set(after.map(({ path }) => path));
  const expected = [...before.expected, ...before.places.keys()]
    .filter((path) => !known.has(path) && markPlace(root, path) !== undefined)
    .map((path): Entry => ({ type: '?', path }));
  return [...after, ...expected].filter(({ path }) => {
    const then = before.places.get(path);
    return then === undefined || markPlace(root, path) !== then;
  });
}
