// Owns `sandbox key`: the public half of the key that signs receipts, and replacing it on purpose.
import { type Command, createCommand } from 'commander';
import { renewKey, withAudit } from '../run/audit/log.ts';
import { keyFile, type PublicKey, readKey } from '../run/key.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';

function printKey(context: CliContext, { keyid, pem }: PublicKey, json: boolean): void {
  if (json) printJson(context.terminal, { keyid, publicKey: pem, file: keyFile(context.paths.state) });
  else context.terminal.out(`${pem}keyid ${keyid}\n`);
}

/** `sandbox key show|new`. */
export function keyCommand(context: CliContext): Command {
  const { state } = context.paths;
  const key = createCommand('key').description('The key that signs receipts and the audit log');
  const owner = () => ({ state, uid: context.uid, now: Date.now() });
  key
    .command('show')
    .description('Print the public key (PEM) and its id; makes the key when there is none yet')
    .option('--json', 'print {keyid, publicKey, file}')
    .addHelpText('after', '\nExample:\n  sandbox key show --json')
    .action(async (flags: { json?: true }) => {
      const found = readKey(state, context.uid) ?? (await withAudit(owner(), (log) => log.key));
      printKey(context, found, flags.json === true);
    });
  key
    .command('new')
    .description('Make another key; the old one is kept beside it, and the audit log says which followed which')
    .option('--json', 'print {keyid, publicKey, file}')
    .addHelpText('after', '\nExample:\n  sandbox key new')
    .action(async (flags: { json?: true }) => printKey(context, await renewKey(owner()), flags.json === true));
  return key;
}
