// Owns finding copies of workspaces that something is wrong with: an unreadable meta.json, an interrupted `sandbox apply`.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { type Copy, readCopy } from './copy.ts';
import { stageName } from './copyCommit.ts';
import { listNames, moveAside, type Quarantined, type Stuck } from './ownFiles.ts';

function findStage({ source, id }: Copy): string | undefined {
  const stage = join(source, stageName(id));
  return lstatSync(stage, { throwIfNoEntry: false }) === undefined ? undefined : stage;
}

/** Nothing is decided for a person: a file that was edited meanwhile lies only in the stage. */
function explainStage(stage: string, { id, source, base, work }: Copy): string {
  const [was, now, folder] = [base, work, source].map((path) => printable(path));
  return [
    `applying it is not done, or was interrupted: ${printable(stage)} holds what was there (old-N) and what was to come (new-N)`,
    `when no sandbox apply ${id} runs, see what is missing: diff -r ${was} ${folder}; put it back from ${was}, or take it from ${now}`,
    `then remove ${printable(stage)}, and run sandbox apply ${id} again, or sandbox apply --discard ${id}`,
  ].join('; ');
}

function judgeOne(copies: string, id: string, quarantine: string): { stuck?: Stuck; quarantined?: Quarantined } {
  const file = join(copies, id);
  let copy: Copy | undefined;
  try {
    copy = readCopy(copies, id);
  } catch (error) {
    // Whole, with what the run made: somebody may want it, and nobody knows which folder it is of.
    try {
      return { quarantined: { file, why: printable(messageOf(error), 400), kept: moveAside(quarantine, copies, id) } };
    } catch (cause) {
      return { stuck: { id, why: printable(messageOf(cause), 400) } };
    }
  }
  const stage = copy === undefined ? undefined : findStage(copy);
  if (copy === undefined || stage === undefined) return {};
  return { stuck: { id, why: explainStage(stage, copy) } };
}

/** Looks at every copy; one with a damaged meta.json goes to `quarantine`. */
export function judgeCopies(copies: string, quarantine: string): { stuck: Stuck[]; quarantined: Quarantined[] } {
  const judged = listNames(copies)
    .filter((name) => idPattern.test(name))
    .map((id) => judgeOne(copies, id, quarantine));
  return {
    stuck: judged.flatMap(({ stuck }) => stuck ?? []),
    quarantined: judged.flatMap(({ quarantined }) => quarantined ?? []),
  };
}
