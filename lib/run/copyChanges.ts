// Owns finding what a run changed in a copy: both trees are walked and compared by content, never by time.
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { at, type BytePath, folderPath, fromBytes, openFolder, openRoot, withParent } from './beneath.ts';

export interface Side {
  readonly type: 'file' | 'link' | 'special';
  /** Permission bits. Only whether the owner may execute counts as a change, as in git. */
  readonly mode: number;
  readonly bytes: number;
  /** Of a link. */
  readonly target: BytePath | undefined;
}

export interface Change {
  readonly path: BytePath;
  readonly before: Side | undefined;
  readonly after: Side | undefined;
  readonly kind: 'added' | 'deleted' | 'modified' | 'mode' | 'type';
}

export interface Changes {
  /** Sorted by path, by bytes. */
  readonly changes: readonly Change[];
  /** Entries called `.git`, whatever is in them: never compared, never applied. */
  readonly leftOut: readonly BytePath[];
  /** All entries of the tree that the run left: link checks look into it. */
  readonly after: Tree;
}

/** Files, links and special files by path; `undefined` stands for a folder. */
export type Tree = ReadonlyMap<BytePath, Side | undefined>;

const mostEntries = 1_000_000;
const mostDepth = 256;

function sideOf(folder: number, name: BytePath): Side | undefined {
  const found = lstatSync(at(folder, name));
  if (found.isDirectory()) return undefined;
  const link = found.isSymbolicLink();
  return {
    type: link ? 'link' : found.isFile() ? 'file' : 'special',
    mode: found.mode & 0o7777,
    bytes: found.size,
    target: link ? fromBytes(readlinkSync(at(folder, name), { encoding: 'buffer' })) : undefined,
  };
}

function tooLarge(what: string): CofferdamError {
  return new CofferdamError('COPY_CONFLICT', `the copy ${what}, so it is not compared`, {
    remedy: 'look at it by hand: sandbox diff --list names its folder',
  });
}

function walk(
  folder: number,
  prefix: BytePath,
  depth: number,
  into: Map<BytePath, Side | undefined>,
  git: BytePath[],
): void {
  if (depth > mostDepth) throw tooLarge(`is deeper than ${mostDepth} folders`);
  for (const name of readdirSync(folderPath(folder), { encoding: 'buffer' }).map(fromBytes)) {
    const path = `${prefix}${name}`;
    if (name.toLowerCase() === '.git') {
      git.push(path);
      continue;
    }
    const side = sideOf(folder, name);
    into.set(path, side);
    if (into.size > mostEntries) throw tooLarge(`holds more than ${mostEntries} entries`);
    if (side !== undefined) continue;
    const inner = openFolder(folder, name);
    try {
      walk(inner, `${path}/`, depth + 1, into, git);
    } finally {
      closeSync(inner);
    }
  }
}

/** Opens a regular file below `root` without following links or waiting for a fifo. The caller closes it. */
export function openFileBeneath(root: number, path: BytePath): number {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
  return withParent(root, path, (folder, name) => openSync(at(folder, name), flags));
}

/** Whether two open files have the same bytes from here on. */
function sameContent(one: number, other: number): boolean {
  const left = Buffer.allocUnsafe(1 << 18);
  const right = Buffer.allocUnsafe(1 << 18);
  for (;;) {
    const got = readSync(one, left, 0, left.length, null);
    let also = 0;
    // A short read of one is no difference: read the other up to the same place.
    while (also < got) {
      const more = readSync(other, right, also, got - also, null);
      if (more === 0) return false;
      also += more;
    }
    if (got === 0) return readSync(other, right, 0, 1, null) === 0;
    if (left.compare(right, 0, got, 0, got) !== 0) return false;
  }
}

/** Whether an open regular file has the bytes of the one at `path` below a folder. */
export function sameAsBeneath(left: number, other: number, path: BytePath): boolean {
  const right = openFileBeneath(other, path);
  try {
    return sameContent(left, right);
  } finally {
    closeSync(right);
  }
}

/** Whether the regular files `path` below two folders have the same bytes. */
export function sameFile(one: number, other: number, path: BytePath): boolean {
  const left = openFileBeneath(one, path);
  try {
    return sameAsBeneath(left, other, path);
  } finally {
    closeSync(left);
  }
}

function executable(side: Side): boolean {
  return (side.mode & 0o100) !== 0;
}

function judge(before: Side | undefined, after: Side | undefined, same: () => boolean): Change['kind'] | undefined {
  if (before === undefined || after === undefined) return before === after ? undefined : before ? 'deleted' : 'added';
  if (before.type !== after.type) return 'type';
  if (before.type === 'link') return before.target === after.target ? undefined : 'modified';
  if (before.type === 'special') return undefined;
  if (before.bytes !== after.bytes || !same()) return 'modified';
  // Set-id bits are taken off a settled copy; one that is here all the same is a change to be refused.
  return executable(before) === executable(after) && (after.mode & 0o6000) === 0 ? undefined : 'mode';
}

/**
 * What differs between two folders: files, links and special files; folders only by what is in them. Throws
 * COPY_CONFLICT for a tree beyond 1,000,000 entries or 256 folders deep.
 */
export function listChanges(base: string, work: string): Changes {
  const roots: number[] = [];
  try {
    const [one, other] = [base, work].map((path) => {
      const fd = openRoot(path);
      roots.push(fd);
      return fd;
    }) as [number, number];
    const before = new Map<BytePath, Side | undefined>();
    const after = new Map<BytePath, Side | undefined>();
    const leftOut: BytePath[] = [];
    walk(one, '', 0, before, []);
    walk(other, '', 0, after, leftOut);
    const changes: Change[] = [];
    for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
      const [then, now] = [before.get(path), after.get(path)];
      const kind = judge(then, now, () => sameFile(one, other, path));
      if (kind !== undefined) changes.push({ path, before: then, after: now, kind });
    }
    return { changes, leftOut, after };
  } finally {
    for (const fd of roots) closeSync(fd);
  }
}
