// Owns `sandbox diff` and `sandbox apply`: what a run changed in a copied workspace, and bringing it home.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { formatDuration } from '../base/units.ts';
import { showPath } from '../run/beneath.ts';
import { claimFolder } from '../run/claims.ts';
import { type Copy, findCopy, listCopies, markApplied, readCopy, removeCopy, settleCopy } from '../run/copy.ts';
import { applyChanges, judgeChanges } from '../run/copyApply.ts';
import { type Change, type Changes, listChanges } from '../run/copyChanges.ts';
import { countLines, renderDiff } from '../run/copyDiff.ts';
import { runFolders } from '../run/folders.ts';
import { findSandbox } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';
import { printJson, printTable } from './print.ts';

function describeChange({ path, kind, before, after }: Change) {
  const side = after ?? before;
  return { path: showPath(path), kind, type: side?.type ?? 'file', bytes: after?.bytes ?? 0 };
}

/** The run that a sandbox's name stands for; other words stay as they are. */
function lastRun({ paths }: CliContext, word: string): string {
  try {
    return findSandbox(paths, word).run ?? word;
  } catch (error) {
    if (error instanceof CofferdamError && error.code === 'SANDBOX_UNKNOWN') return word;
    throw error;
  }
}

// A live run still writes to its copy; one that was killed left its files as the guest made them.
async function openCopy(context: CliContext, id: string): Promise<Copy> {
  const folders = runFolders(context.paths);
  const named = idPattern.test(id) ? readCopy(folders.copies, id) : undefined;
  const copy = named ?? findCopy(folders.copies, lastRun(context, id));
  if (existsSync(join(folders.records, copy.id))) {
    throw new CofferdamError('COPY_CONFLICT', `the run ${copy.id} has not ended`, {
      remedy: 'wait for it, or stop it; if it was killed: sandbox gc',
    });
  }
  await settleCopy(copy, { callerUid: context.uid }, context.signal);
  return copy;
}

function printList(context: CliContext, json: boolean): void {
  const copies = listCopies(runFolders(context.paths).copies);
  if (json) {
    const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
    const lines = copies.map(({ id, source, folder, createdMs, appliedMs }) => {
      return { id, source, folder, createdAt: iso(createdMs), appliedAt: iso(appliedMs) };
    });
    printJson(context.terminal, lines);
    return;
  }
  const now = Date.now();
  const rows = copies.map(({ id, source, createdMs, appliedMs }) => {
    return [
      id,
      formatDuration(Math.max(1, Math.ceil((now - createdMs) / 60_000)) * 60_000),
      appliedMs === undefined ? 'no' : 'yes',
      printable(source),
    ];
  });
  if (rows.length === 0) context.terminal.out('no copies\n');
  else printTable(context.terminal, ['run', 'age', 'applied', 'folder'], rows);
}

function describeLeftOut({ leftOut }: Changes): string {
  const some = leftOut.slice(0, 3).map((path) => showPath(path));
  const more = leftOut.length > 3 ? ` and ${leftOut.length - 3} more` : '';
  return `# left out, never compared or applied: ${some.join(', ')}${more}\n`;
}

interface DiffFlags {
  stat?: true;
  nameOnly?: true;
  json?: true;
  list?: true;
}

async function printStat({ terminal }: CliContext, copy: Copy, changes: Changes): Promise<void> {
  let [added, deleted] = [0, 0];
  for (const change of changes.changes) {
    const lines = await countLines(copy, change);
    added += lines.added;
    deleted += lines.deleted;
    terminal.out(`${change.kind.padEnd(8)}  +${lines.added} -${lines.deleted}  ${showPath(change.path)}\n`);
  }
  terminal.out(`${changes.changes.length} changed, ${added} lines added, ${deleted} deleted\n`);
}

async function showDiff(context: CliContext, id: string, flags: DiffFlags): Promise<void> {
  const { terminal } = context;
  const copy = await openCopy(context, id);
  const changes = listChanges(copy.base, copy.work);
  if (flags.json === true) {
    const { refused } = judgeChanges(changes, { includeGuarded: false });
    const reasons = new Map(refused.map(({ path, why }) => [path, why]));
    printJson(terminal, {
      id: copy.id,
      source: copy.source,
      createdAt: new Date(copy.createdMs).toISOString(),
      appliedAt: copy.appliedMs === undefined ? null : new Date(copy.appliedMs).toISOString(),
      changes: changes.changes
        .map(describeChange)
        .map((line) => ({ ...line, refused: reasons.get(line.path) ?? null })),
      leftOut: changes.leftOut.map(showPath),
    });
  } else if (flags.nameOnly === true) {
    for (const { path } of changes.changes) terminal.out(`${showPath(path)}\n`);
  } else if (flags.stat === true) {
    await printStat(context, copy, changes);
  } else {
    await renderDiff(copy, changes.changes, (text) => terminal.out(text));
  }
  if (flags.json !== true && changes.leftOut.length > 0) terminal.err(describeLeftOut(changes));
}

/** `sandbox diff [RUN]`. */
export function diffCommand(context: CliContext): Command {
  return createCommand('diff')
    .description('Show what a run changed in a copied workspace (--workspace DIR:copy); control characters are escaped')
    .argument('[run]', 'id of the run, or name of a sandbox: its last run')
    .option('--stat', 'one line per file, with lines added and deleted')
    .option('--name-only', 'paths alone')
    .option('--list', 'list the copies that exist, with their age')
    .option('--json', 'print {id, source, changes, leftOut}; with --list an array')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox diff --list\n  sandbox diff --stat r0123456789abcdef\n  sandbox diff r0123456789abcdef',
    )
    .action(async (id: string | undefined, flags: DiffFlags) => {
      if ((id === undefined) !== (flags.list === true)) {
        throw new CofferdamError('USAGE', 'diff takes the id of a run, or --list', {
          remedy: 'see: sandbox diff --list',
        });
      }
      if (id === undefined) printList(context, flags.json === true);
      else await showDiff(context, id, flags);
    });
}

interface ApplyFlags {
  dryRun?: true;
  includeGuarded?: true;
  skipRefused?: true;
  discard?: true;
  json?: true;
}

async function applyCopy(context: CliContext, copy: Copy, flags: ApplyFlags): Promise<void> {
  if (copy.appliedMs !== undefined) {
    throw new CofferdamError('COPY_CONFLICT', `${copy.id} was applied on ${new Date(copy.appliedMs).toISOString()}`, {
      remedy: `remove the copy: sandbox apply --discard ${copy.id}`,
    });
  }
  const { changes, after, leftOut } = listChanges(copy.base, copy.work);
  const judged = judgeChanges({ changes, after, leftOut }, { includeGuarded: flags.includeGuarded === true });
  if (judged.refused.length > 0 && flags.skipRefused !== true) {
    throw new CofferdamError(
      'COPY_CONFLICT',
      `${judged.refused.length} of ${changes.length} changes are never applied as they are`,
      {
        details: judged.refused.slice(0, 100).map(({ path, why }) => `${path}: ${why}`),
        remedy: `the others alone: sandbox apply --skip-refused ${copy.id}`,
      },
    );
  }
  const dryRun = flags.dryRun === true;
  // No sandbox writes to the folder meanwhile.
  const { records } = runFolders(context.paths);
  const claim = claimFolder({ claims: join(context.paths.state, 'claims'), records, source: copy.source, mode: 'rw' });
  try {
    applyChanges({ copy, changes: judged.applicable, after, dryRun });
    if (!dryRun) markApplied(copy, Date.now());
  } finally {
    claim.release();
  }
  const { terminal } = context;
  const applied = judged.applicable.map(describeChange);
  if (flags.json === true) {
    printJson(terminal, { id: copy.id, source: copy.source, dryRun, applied, refused: judged.refused });
    return;
  }
  for (const { path, why } of judged.refused) terminal.err(`left out: ${path}: ${why}\n`);
  terminal.out(`${applied.length} changes ${dryRun ? 'would be applied' : 'applied'} to ${printable(copy.source)}\n`);
}

/** `sandbox apply RUN`. */
export function applyCommand(context: CliContext): Command {
  return createCommand('apply')
    .description('Apply what a run changed in a copied workspace to the original folder: all of it or nothing')
    .argument('<run>', 'id of the run, or name of a sandbox: its last run')
    .option('--dry-run', 'only check; exit status as if it were done')
    .option('--include-guarded', 'also places that run code on this host (.envrc, .vscode …), after you read the diff')
    .option(
      '--skip-refused',
      'leave out what is refused (links out of the folder, guarded places …) and apply the rest',
    )
    .option('--discard', 'remove the copy and apply nothing')
    .option('--json', 'print {id, source, dryRun, applied, refused}')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox apply --dry-run r0123456789abcdef\n  sandbox apply r0123456789abcdef\n  sandbox apply --discard r0123456789abcdef',
    )
    .action(async (id: string, flags: ApplyFlags) => {
      const copy = await openCopy(context, id);
      if (flags.discard !== true) {
        await applyCopy(context, copy, flags);
        return;
      }
      if (flags.dryRun === true || flags.includeGuarded === true || flags.skipRefused === true) {
        throw new CofferdamError('USAGE', '--discard goes with no other flag but --json');
      }
      await removeCopy(copy, context.signal);
      if (flags.json === true) printJson(context.terminal, { id: copy.id, discarded: true });
      else context.terminal.out(`removed the copy of ${copy.id}\n`);
    });
}
