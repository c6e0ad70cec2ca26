// Owns `sandbox audit`: the log of what happened, its head, and whether it is whole.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, createCommand } from 'commander';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { lastLines, readAudit } from '../run/audit/find.ts';
import type { AuditLine } from '../run/audit/line.ts';
import { readAuditTail } from '../run/audit/tail.ts';
import { type AuditHead, type AuditVerdict, parseHead, verifyAudit } from '../run/audit/verify.ts';
import { parsePublicKey, readKey } from '../run/key.ts';
import { completeDue } from '../run/receipt/complete.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';

function readNamed(context: CliContext, name: string): string {
  try {
    return readFileSync(resolve(context.cwd, name), 'utf8');
  } catch (cause) {
    throw new CofferdamError('USAGE', `cannot read ${printable(name)}: ${messageOf(cause)}`, { cause });
  }
}

function readHead(context: CliContext, text: string): AuditHead {
  return parseHead(/^[0-9]+:/.test(text) ? text : readNamed(context, text).slice(0, 200));
}

function describeVerdict({ ok, lines, files, head, torn, unfinished, fault }: AuditVerdict): string {
  if (!ok) return `FAIL  ${fault?.kind}: ${printable(fault?.text ?? '', 300)} (${printable(fault?.where ?? '')})\n`;
  const notes = [
    torn === 0 ? '' : `${torn} half lines that a crash left, each set apart and counted for nothing`,
    unfinished === 0 ? '' : `${unfinished} bytes of a line that is not whole at the end`,
  ].filter((note) => note !== '');
  const where = head === null ? 'empty' : `head ${head.seq}:${head.hash}`;
  return [`PASS  ${lines} lines in ${files} files, ${where}`, ...notes.map((note) => `note  ${note}`), ''].join('\n');
}

interface VerifyFlags {
  head?: string;
  key?: string;
  json?: true;
}

function verifyAction(context: CliContext, flags: VerifyFlags): void {
  const { state } = context.paths;
  const key =
    flags.key === undefined ? readKey(state, context.uid) : parsePublicKey(readNamed(context, flags.key), flags.key);
  const head = flags.head === undefined ? undefined : readHead(context, flags.head);
  const verdict = verifyAudit({ state, head, key });
  if (flags.json === true) printJson(context.terminal, verdict);
  else {
    context.terminal.out(describeVerdict(verdict));
    if (verdict.ok && head === undefined) {
      context.terminal.out('note  without --head, a tail that was cut off cannot be told from one never written\n');
    }
  }
  if (!verdict.ok) context.exit(1);
}

async function headAction(context: CliContext, json: boolean): Promise<void> {
  await completeDue(context, Date.now());
  const { seq, hash } = readAuditTail(context.paths.state);
  if (json) printJson(context.terminal, { seq, hash });
  else context.terminal.out(`${seq}:${hash}\n`);
}

function printLine(context: CliContext, line: AuditLine, json: boolean): void {
  const { seq, time, event, run, data } = line;
  const text = json
    ? JSON.stringify(line)
    : `${seq}  ${time}  ${event.padEnd(14)}  ${run ?? '-'}  ${JSON.stringify(data)}`;
  context.terminal.out(`${printable(text, 8000)}\n`);
}

interface ShowFlags {
  run?: string;
  tail?: string;
  json?: true;
}

async function showAction(context: CliContext, { run, tail, json }: ShowFlags): Promise<void> {
  const { state } = context.paths;
  if (tail !== undefined && !/^[1-9][0-9]{0,4}$/.test(tail)) {
    throw new CofferdamError('USAGE', '--tail takes a number from 1 to 99999');
  }
  await completeDue(context, Date.now());
  const kept: AuditLine[] = [];
  const most = tail === undefined ? undefined : Number(tail);
  if (run === undefined) kept.push(...lastLines(state, most ?? 20));
  else {
    for (const line of readAudit(state)) {
      if (line.run !== run) continue;
      kept.push(line);
      if (most !== undefined && kept.length > most) kept.shift();
    }
  }
  for (const line of kept) printLine(context, line, json === true);
}

/** `sandbox audit verify|head|show`. */
export function auditCommand(context: CliContext): Command {
  const audit = createCommand('audit').description(
    'The chained log of what happened: verify it, keep its head, read it',
  );
  audit
    .command('verify')
    .description('Find a line that was changed, taken out or moved; with an earlier head also a tail that was cut')
    .option('--head <head>', 'SEQ:HASH as `sandbox audit head` printed it earlier, or a file that holds it')
    .option('--key <file>', "the signer's public key (PEM); by default your own")
    .option('--json', 'print {ok, lines, files, head, torn, unfinished, fault}')
    .addHelpText('after', '\nExample:\n  sandbox audit verify --head "$(cat last-head)"')
    .action((flags: VerifyFlags) => verifyAction(context, flags));
  audit
    .command('head')
    .description('Print the number and hash of the last line: keep it where whoever runs sandboxes cannot write')
    .option('--json', 'print {seq, hash}')
    .addHelpText('after', '\nExample:\n  sandbox audit head >/mnt/elsewhere/last-head')
    .action(async (flags: { json?: true }) => headAction(context, flags.json === true));
  audit
    .command('show')
    .description('Print the last lines, or those of a run')
    .option('--run <id>', 'only lines of this run')
    .option('--tail <number>', 'how many at the most; default 20, with --run all')
    .option('--json', 'print the lines themselves, one JSON object each')
    .addHelpText('after', '\nExample:\n  sandbox audit show --run r0123456789abcdef')
    .action(async (flags: ShowFlags) => showAction(context, flags));
  return audit;
}
