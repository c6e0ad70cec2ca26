// Owns `sandbox receipt`: showing and verifying the signed record of a run.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { auditFiles } from '../run/audit/files.ts';
import { type PublicKey, parsePublicKey, readKey } from '../run/key.ts';
import { completeDue } from '../run/receipt/complete.ts';
import { findReceipts, readReceipt } from '../run/receipt/store.ts';
import { type ReceiptVerdict, verifyReceipt } from '../run/receipt/verify.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';
import { describeReceipt } from './receipt-text.ts';

function ownKey({ paths, uid }: CliContext): PublicKey {
  const key = readKey(paths.state, uid);
  if (key !== undefined) return key;
  throw new CofferdamError('KEY_INVALID', 'no key was made on this host yet', { remedy: 'name one: --key FILE' });
}

function findFile(context: CliContext, id: string): string {
  const [file] = idPattern.test(id) ? findReceipts(context.paths.state, id) : [];
  if (file !== undefined) return file;
  throw new CofferdamError('RUN_UNKNOWN', `there is no receipt of a run ${printable(id, 80)}`, {
    remedy: 'a run has one when it has ended; see: sandbox audit show',
  });
}

/** A path, or the id of a run of ours. A name without a slash is an id unless only a file has it. */
function locate(context: CliContext, name: string): { file: string; run: string | undefined } {
  const file = resolve(context.cwd, name);
  if (name.includes('/') || !idPattern.test(name)) {
    if (existsSync(file)) return { file, run: undefined };
    throw new CofferdamError('RUN_UNKNOWN', `there is no file ${printable(name, 200)}`);
  }
  return { file: findFile(context, name), run: name };
}

async function complete(context: CliContext): Promise<void> {
  await completeDue(context, Date.now());
}

function verdictLine({ ok, fault, audit }: ReceiptVerdict): string {
  if (!ok) return `FAIL  ${fault?.kind}: ${printable(fault?.text ?? '', 300)}\n`;
  return `PASS  signed, whole, and ${audit === 'named' ? 'named by the audit log' : 'not compared with an audit log'}\n`;
}

async function showAction(context: CliContext, id: string, json: boolean): Promise<void> {
  await complete(context);
  const file = findFile(context, id);
  const { state } = context.paths;
  const verdict = verifyReceipt({ bytes: readReceipt(file), key: ownKey(context), run: id, state });
  const { statement, ok, fault } = verdict;
  if (json)
    printJson(context.terminal, {
      file,
      digest: `sha256:${verdict.digest}`,
      verified: ok,
      fault,
      statement: statement ?? null,
    });
  else {
    context.terminal.out(`${verdictLine(verdict)}file  ${printable(file, 4096)}\n`);
    if (statement !== undefined) context.terminal.out(describeReceipt(statement));
  }
  if (!ok) context.exit(1);
}

async function verifyAction(context: CliContext, name: string, flags: { key?: string; json?: true }): Promise<void> {
  const { state } = context.paths;
  // Somebody else's receipt, with their key, has nothing to do with our log.
  const foreign = flags.key !== undefined;
  if (!foreign && !name.includes('/')) await complete(context);
  const { file, run } = locate(context, name);
  const key =
    flags.key === undefined
      ? ownKey(context)
      : parsePublicKey(readFileSync(resolve(context.cwd, flags.key), 'utf8'), flags.key);
  const own = readKeyId(context) === key.keyid && auditFiles(state).length > 0;
  const verdict = verifyReceipt({ bytes: readReceipt(file), key, run, state: own ? state : undefined });
  const { ok, fault, digest, keyid, audit } = verdict;
  if (flags.json === true) printJson(context.terminal, { ok, fault, file, digest: `sha256:${digest}`, keyid, audit });
  else context.terminal.out(verdictLine(verdict));
  if (!ok) context.exit(1);
}

function readKeyId({ paths, uid }: CliContext): string | undefined {
  return existsSync(join(paths.state, 'key')) ? readKey(paths.state, uid)?.keyid : undefined;
}

/** `sandbox receipt show|verify`. */
export function receiptCommand(context: CliContext): Command {
  const receipt = createCommand('receipt').description('Show or verify the signed record of a run');
  receipt
    .command('show')
    .description('Show what a run was, what held it and how it ended; completes it first where that is due')
    .argument('<run>', 'id of the run')
    .option('--json', 'print {file, digest, verified, fault, statement}')
    .addHelpText('after', '\nExample:\n  sandbox receipt show r0123456789abcdef')
    .action(async (id: string, flags: { json?: true }) => showAction(context, id, flags.json === true));
  receipt
    .command('verify')
    .description('Check a receipt offline: exit 0 and PASS, or exit 1, FAIL and the reason')
    .argument('<run|file>', 'id of a run of yours, or a path with a "/"')
    .option('--key <file>', "the signer's public key (PEM); by default your own, and your audit log")
    .option('--json', 'print {ok, fault: {kind, text}, file, digest, keyid, audit}')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox receipt verify r0123456789abcdef\n  sandbox receipt verify ./receipt.json --key worker7.pem',
    )
    .action(async (name: string, flags: { key?: string; json?: true }) => verifyAction(context, name, flags));
  return receipt;
}
