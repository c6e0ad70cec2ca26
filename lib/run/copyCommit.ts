// Owns putting judged changes into a folder as one step: everything is staged beside, moved in, and moved back on failure.
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { at, type BytePath, folderPath, openFolder, openRoot, showPath, toBytes, withParent } from './beneath.ts';
import type { Copy } from './copy.ts';
import { type Change, openFileBeneath, type Side, type Tree } from './copyChanges.ts';
import { matchesBase } from './copyMatch.ts';

export interface CommitRequest {
  /** The folder to change, open. */
  readonly original: number;
  /** What it was, open. */
  readonly base: number;
  readonly copy: Copy;
  readonly changes: readonly Change[];
  readonly after: Tree;
}

/** Owner and mode come from what is replaced; new files have the guest's, without write access for others and set-id bits. */
function appliedMode(after: Side, replaced: Stats | undefined): number {
  if (replaced?.isFile() !== true) return (after.mode & 0o755) | 0o600;
  const mode = replaced.mode & 0o777;
  return (after.mode & 0o100) === 0 ? mode & ~0o111 : mode | ((mode & 0o444) >> 2);
}

function copyContent(from: number, to: number): void {
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let got = readSync(from, buffer); got > 0; got = readSync(from, buffer)) {
    for (let done = 0; done < got; ) done += writeSync(to, buffer, done, got - done);
  }
}

class Commit {
  /** Whether the stage holds what could not be put back. */
  stranded = false;
  private readonly request: CommitRequest;
  private readonly stage: number;
  private readonly root: Stats;
  /** What takes each step back, in the order of the steps. */
  private readonly undo: (() => void)[] = [];

  constructor(request: CommitRequest, stage: number) {
    this.request = request;
    this.stage = stage;
    this.root = lstatSync(`${folderPath(request.original)}/.`);
  }

  /** Whoever owns what is replaced, or the folder: root must not leave files of its own in a user's tree. */
  private stageOne(work: number, { path, after, before }: Change, name: string): void {
    if (after === undefined) return;
    const { original } = this.request;
    const replaced = before && withParent(original, path, (folder, last) => lstatSync(at(folder, last)));
    const { uid, gid } = replaced ?? this.root;
    const own = process.getuid?.() === 0;
    if (after.target !== undefined) {
      symlinkSync(toBytes(after.target), at(this.stage, name));
      if (own) lchownSync(at(this.stage, name), uid, gid);
      return;
    }
    const from = openFileBeneath(work, path);
    const to = openSync(at(this.stage, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      copyContent(from, to);
      if (own) fchownSync(to, uid, gid);
      fchmodSync(to, appliedMode(after, replaced));
      fsyncSync(to);
    } finally {
      closeSync(from);
      closeSync(to);
    }
  }

  private take(change: Change, name: string): void {
    if (change.before === undefined) return;
    const { original, base } = this.request;
    withParent(original, change.path, (folder, last) => renameSync(at(folder, last), at(this.stage, name)));
    this.undo.push(() => {
      withParent(original, change.path, (folder, last) => renameSync(at(this.stage, name), at(folder, last)));
    });
    // Out of everybody's way it is compared once more: between the check and here it may have been edited.
    if (!matchesBase(this.stage, name, base, change)) {
      throw new CofferdamError('COPY_CONFLICT', `${showPath(change.path)} was changed just now; nothing was applied`);
    }
  }

  /** A folder that the run left no more goes when nothing is in it, as git does it. */
  private dropEmptied({ path, before }: Change): void {
    if (before === undefined) return;
    const { original, after } = this.request;
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      const side = after.get(folder);
      if (after.has(folder) && side === undefined) return;
      try {
        const found = withParent(original, folder, (parent, name) => {
          const was = lstatSync(at(parent, name));
          rmdirSync(at(parent, name));
          return was;
        });
        const gone = folder;
        this.undo.push(() => this.makeFolder(gone, found));
      } catch (cause) {
        if (['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(cause) ?? '')) return;
        throw cause;
      }
    }
  }

  private makeFolder(path: BytePath, like: Stats | undefined): void {
    withParent(this.request.original, path, (parent, name) => {
      if (like === undefined) mkdirSync(at(parent, name));
      else mkdirSync(at(parent, name), { mode: like.mode & 0o777 });
      const { uid, gid } = like ?? this.root;
      if (process.getuid?.() === 0) lchownSync(at(parent, name), uid, gid);
    });
  }

  private put({ path, after }: Change, name: string): void {
    if (after === undefined) return;
    const { original } = this.request;
    const steps = path.split('/');
    for (let i = 1; i < steps.length; i++) {
      const folder = steps.slice(0, i).join('/');
      try {
        this.makeFolder(folder, undefined);
        this.undo.push(() => withParent(original, folder, (parent, last) => rmdirSync(at(parent, last))));
      } catch (cause) {
        if (errnoOf(cause) !== 'EEXIST') throw cause;
      }
    }
    withParent(original, path, (folder, last) => {
      // Node has no RENAME_NOREPLACE: a file that somebody of this uid makes between these two lines is replaced.
      if (lstatSync(at(folder, last), { throwIfNoEntry: false }) !== undefined) {
        throw new CofferdamError('COPY_CONFLICT', `${showPath(path)} appeared just now; nothing was applied`);
      }
      renameSync(at(this.stage, name), at(folder, last));
    });
    this.undo.push(() =>
      withParent(original, path, (folder, last) => renameSync(at(folder, last), at(this.stage, name))),
    );
  }

  run(): void {
    const { copy, changes } = this.request;
    const work = openRoot(copy.work);
    try {
      changes.forEach((change, i) => void this.stageOne(work, change, `new-${i}`));
      changes.forEach((change, i) => void this.take(change, `old-${i}`));
      for (const change of changes) this.dropEmptied(change);
      changes.forEach((change, i) => void this.put(change, `new-${i}`));
    } catch (cause) {
      this.takeBack();
      if (cause instanceof CofferdamError) throw cause;
      throw diskError(cause, `the changes could not be applied to ${printable(copy.source)}; nothing was changed`);
    } finally {
      closeSync(work);
    }
  }

  /** By the names we gave, never recursive: a sandbox that writes to the folder could put links there. */
  clear(name: string): void {
    this.request.changes.forEach((_, i) => {
      for (const kind of ['new', 'old']) rmSync(at(this.stage, `${kind}-${i}`), { force: true });
    });
    rmdirSync(at(this.request.original, name));
  }

  private takeBack(): void {
    const failed: unknown[] = [];
    for (const step of this.undo.reverse()) {
      try {
        step();
      } catch (cause) {
        failed.push(cause);
      }
    }
    if (failed.length === 0) return;
    this.stranded = true;
    throw new CofferdamError('COPY_CONFLICT', 'the changes could be neither applied nor taken back in full', {
      cause: failed[0],
      remedy: `the files that were there lie in ${stageName(this.request.copy.id)} in the folder itself`,
    });
  }
}

function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** In the folder that is applied to. */
export function stageName(id: string): string {
  return `.cofferdam-apply-${id}`;
}

/**
 * Applies them, or nothing. If the process is killed in between, what was there lies in `.cofferdam-apply-RUN` in the folder,
 * and nothing is applied to it again until that is gone. Throws COPY_CONFLICT, DISK_FULL, TOOL_FAILED.
 */
export function commitChanges(request: CommitRequest): void {
  const { original, copy } = request;
  const name = stageName(copy.id);
  try {
    mkdirSync(at(original, name), { mode: 0o700 });
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw diskError(cause, `cannot write to ${printable(copy.source)}`);
    throw new CofferdamError(
      'COPY_CONFLICT',
      `applying this copy was interrupted before: ${name} stands in ${printable(copy.source)}`,
      {
        remedy: `look into ${name} (old-N: what was there, new-N: what was to come), then remove it`,
      },
    );
  }
  const stage = openFolder(original, name);
  const commit = new Commit(request, stage);
  try {
    commit.run();
  } finally {
    if (!commit.stranded) commit.clear(name);
    closeSync(stage);
  }
}
