// Owns `firewall proxy`: which proxy ours goes through, by whose word, and changing the policy's.
import { type Command, createCommand, Option } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { readClock } from '../policy/clock.ts';
import { editPolicyFile } from '../policy/editFile.ts';
import { loadPolicy, policyFileOf } from '../policy/load.ts';
import { chooseParent, type ParentChoice, readParentProxy } from '../policy/parentProxy.ts';
import type { CliContext } from './context.ts';
import { permitHelp, permitWidening, yesAbout, yesFlag } from './firewall-permit.ts';
import { printJson } from './print.ts';

interface ProxyFlags {
  readonly set?: string;
  readonly clear?: true;
  readonly yes?: true;
  readonly json?: true;
}

function describeEnvironment({ environment }: ParentChoice): string {
  if (environment === undefined) return 'names none';
  const { variable, reading, permitted } = environment;
  const named = reading.parent?.text ?? `unusable: it ${reading.fault}`;
  return `${named} (${variable}${permitted ? '' : '; not asked: the policy has no environmentProxy: true'})`;
}

function describeEffective({ effective }: ParentChoice): string {
  if (effective.parent !== undefined) return `${effective.parent.text}, of the ${effective.from}`;
  if ('fault' in effective) return `nothing leaves: ${effective.fault}`;
  return 'none: hosts are reached directly';
}

function show({ terminal }: CliContext, choice: ParentChoice, file: string): void {
  const rows = [
    ['environment', describeEnvironment(choice)],
    ['workspace', choice.workspace === undefined ? 'names none' : choice.workspace.text],
    ['none', 'hosts are reached directly'],
    ['effective', describeEffective(choice)],
  ] as const;
  for (const [name, text] of rows) terminal.out(`${name.padEnd(11)}  ${printable(text, 600)}\n`);
  terminal.out(`workspace means ${printable(file, 300)}; the first that names one holds\n`);
}

function showJson({ terminal }: CliContext, choice: ParentChoice, file: string): void {
  const { environment, workspace, effective } = choice;
  printJson(terminal, {
    environment:
      environment === undefined
        ? null
        : {
            variable: environment.variable,
            url: environment.reading.parent?.text ?? null,
            fault: environment.reading.fault ?? null,
            permitted: environment.permitted,
          },
    workspace: { file, url: workspace?.text ?? null },
    none: null,
    effective: {
      from: effective.from,
      url: effective.parent?.text ?? null,
      fault: 'fault' in effective ? effective.fault : null,
    },
  });
}

function readUrl(text: string): string {
  const { parent, fault } = readParentProxy(text);
  if (parent !== undefined) return parent.text;
  // The text itself is not said again: it may hold a password.
  throw new CofferdamError('VALUE_INVALID', `--set: what was given ${fault}`, {
    remedy: 'firewall proxy --set http://proxy.example.org:3128',
  });
}

async function proxy(context: CliContext, { set, clear, yes, json }: ProxyFlags): Promise<void> {
  const file = policyFileOf(context.paths);
  const { uid, env } = context;
  if (set !== undefined || clear === true) {
    const edit = { verb: 'parent', parent: set === undefined ? undefined : readUrl(set) } as const;
    const permit = permitWidening(context, yes === true);
    await editPolicyFile({ file, uid, edit, clock: readClock(), permit });
  }
  const choice = chooseParent(loadPolicy({ file, uid }), env);
  if (json === true) showJson(context, choice, file);
  else show(context, choice, file);
  if ('fault' in choice.effective) context.exit(1);
}

/** The `proxy` command. */
export function firewallProxyCommand(context: CliContext): Command {
  return createCommand('proxy')
    .description('Show or change the proxy that ours goes through: environment, workspace (the policy), none')
    .addOption(new Option('--set <url>', 'go through http://HOST:PORT; no credentials').conflicts('clear'))
    .option('--clear', 'reach hosts directly')
    .option(yesFlag, yesAbout)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `${permitHelp}\n\nExamples:\n  firewall proxy\n  firewall proxy --set http://proxy.example.org:3128`,
    )
    .action((flags: ProxyFlags) => proxy(context, flags));
}
