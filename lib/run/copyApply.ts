// Owns bringing the changes of a copy into the original folder: checked first, then all or nothing, never through a link.
import { closeSync, lstatSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { type BytePath, folderPath, openRoot, showPath } from './beneath.ts';
import type { Copy } from './copy.ts';
import type { Change, Changes, Tree } from './copyChanges.ts';
import { commitChanges } from './copyCommit.ts';
import { findConflict } from './copyMatch.ts';
import { findRefusal, type RefusalRules } from './copyRefusals.ts';

export interface Refused {
  readonly path: string;
  readonly why: string;
}

export interface Judged {
  readonly applicable: readonly Change[];
  readonly refused: readonly Refused[];
}

/** Sorts the changes into those that may be applied and those that may not, with the reason. */
export function judgeChanges({ changes, after }: Changes, rules: RefusalRules): Judged {
  const applicable: Change[] = [];
  const refused: Refused[] = [];
  for (const change of changes) {
    const why = findRefusal(change, after, rules);
    if (why === undefined) applicable.push(change);
    else refused.push({ path: showPath(change.path), why });
  }
  return { applicable, refused };
}

function openOriginal(copy: Copy): number {
  const root = openRootOr(copy);
  const found = lstatSync(`${folderPath(root)}/.`, { bigint: true });
  if (String(found.dev) === copy.device && String(found.ino) === copy.inode) return root;
  closeSync(root);
  throw new CofferdamError('COPY_CONFLICT', `${printable(copy.source)} is another folder than the one that was copied`);
}

function openRootOr(copy: Copy): number {
  try {
    return openRoot(copy.source);
  } catch (cause) {
    throw new CofferdamError('COPY_CONFLICT', `${printable(copy.source)} is gone, or is a link now`, { cause });
  }
}

export interface ApplyRequest {
  readonly copy: Copy;
  /** What judgeChanges let pass. */
  readonly changes: readonly Change[];
  /** The tree that the run left (Changes.after). */
  readonly after: Tree;
  /** Only the checks. */
  readonly dryRun: boolean;
}

/**
 * Applies `changes`, which judgeChanges let pass, to the folder that was copied. Throws
 * COPY_CONFLICT naming every path where the original is no longer what was copied; nothing is changed then. DISK_FULL and
 * TOOL_FAILED after everything was put back.
 */
export function applyChanges({ copy, changes, after, dryRun }: ApplyRequest): void {
  const original = openOriginal(copy);
  const base = openRoot(copy.base);
  try {
    const deleted = new Set<BytePath>(changes.filter(({ before }) => before !== undefined).map(({ path }) => path));
    const details = changes.flatMap((change) => {
      const why = findConflict(original, base, change, deleted);
      return why === undefined ? [] : [`${showPath(change.path)}: ${why}`];
    });
    if (details.length > 0) {
      throw new CofferdamError(
        'COPY_CONFLICT',
        `${details.length} of ${changes.length} changes do not fit ${printable(copy.source)}`,
        {
          details: details.slice(0, 100),
          remedy: `look at them: sandbox diff ${copy.id}; nothing was changed`,
        },
      );
    }
    if (!dryRun) commitChanges({ original, base, copy, changes, after });
  } finally {
    closeSync(original);
    closeSync(base);
  }
}
