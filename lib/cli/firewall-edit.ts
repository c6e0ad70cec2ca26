// Owns `firewall allow`, `deny` and `remove`: edits of firewall.yaml that keep its comments.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { parseDuration } from '../base/units.ts';
import { ownPolicySource } from '../firewall/policySource.ts';
import { type Clock, endAfter, readClock } from '../policy/clock.ts';
import { decide } from '../policy/decide.ts';
import { type PolicyEdit, readPatterns } from '../policy/edit.ts';
import { editPolicyFile } from '../policy/editFile.ts';
import { warnLookalike } from '../policy/lookalike.ts';
import { webPorts } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import type { CliContext } from './context.ts';
import { permitHelp, permitWidening, yesAbout, yesFlag } from './firewall-permit.ts';
import { addScopeOptions, type ScopeOptions, scopeOf } from './firewall-scope.ts';
import { printJson } from './print.ts';

interface EditOptions extends ScopeOptions {
  readonly for?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const longestGrantMs = 7 * 86_400_000;

/** Ms of --for. Throws VALUE_INVALID. */
export function readGrant(text: string): number {
  const ms = parseDuration(text);
  if (ms >= 1000 && ms <= longestGrantMs) return ms;
  throw new CofferdamError('VALUE_INVALID', `--for ${printable(text, 40)} is not between 1s and 7d`);
}

/** Denials that a new allowance does not get past: deny beats allow. */
function findShadows(policy: Policy, { scope, patterns }: PolicyEdit, clock: Clock): string[] {
  const principal = scope.kind === 'global' ? {} : { [scope.kind]: scope.name };
  return patterns.flatMap(({ kind, host, port, text }) => {
    const sample = kind === 'below' ? `any.${host}` : host;
    const { result, text: why, rule } = decide(policy, principal, sample, port ?? webPorts[1] ?? 443, clock);
    return result === 'allow' || rule === undefined
      ? []
      : [`${text} stays denied: ${why}, ${printable(rule.where, 300)}`];
  });
}

async function edit(
  context: CliContext,
  verb: 'allow' | 'deny' | 'remove',
  hosts: readonly string[],
  options: EditOptions,
): Promise<void> {
  const { terminal, uid } = context;
  const clock = readClock();
  const patterns = readPatterns(hosts);
  const scope = scopeOf(options);
  const wanted: PolicyEdit =
    options.for === undefined
      ? { verb, scope, patterns }
      : { verb: 'grant', scope, patterns, end: endAfter(readGrant(options.for), clock) };
  if (verb === 'allow')
    for (const warning of patterns.flatMap(({ host }) => warnLookalike(host)))
      terminal.err(`firewall: look twice: ${warning}\n`);
  const { file } = ownPolicySource(context.paths, uid);
  const permit = permitWidening(context, options.yes === true);
  const { policy, changes } = await editPolicyFile({ file, uid, edit: wanted, clock, permit });
  if (options.json === true) printJson(terminal, { file, changes });
  else if (changes.length === 0) terminal.out(`nothing to change in ${printable(file, 300)}\n`);
  else terminal.out(`${changes.map(({ text }) => `${text}\n`).join('')}written to ${printable(file, 300)}\n`);
  if (verb === 'allow') for (const shadow of findShadows(policy, wanted, clock)) terminal.err(`firewall: ${shadow}\n`);
}

function editCommand(context: CliContext, verb: 'allow' | 'deny' | 'remove', about: string, examples: string): Command {
  const command = createCommand(verb)
    .description(about)
    .argument('<host...>', 'example.org, *.example.org (names below it), .example.org (both); each may end with :PORT');
  addScopeOptions(command, true);
  if (verb === 'allow') command.option('--for <time>', 'until then only: 15m, 2h, at most 7d; also ends with a reboot');
  if (verb !== 'deny') command.option(yesFlag, yesAbout);
  return command
    .option('--json', 'print one JSON document')
    .addHelpText('after', `${verb === 'deny' ? '' : `${permitHelp}\n`}\nExamples:\n${examples}`)
    .action((hosts: string[], options: EditOptions) => edit(context, verb, hosts, options));
}

/** The three commands. Their errors are CofferdamErrors, printed by whoever runs the program. */
export function editCommands(context: CliContext): Command[] {
  return [
    editCommand(
      context,
      'allow',
      'Let sandboxes reach hosts (ports 80 and 443 where none is given)',
      '  firewall allow example.org\n  firewall allow --tool web.search@v1 --for 15m "*.example.org"\n  firewall allow --profile python-tools files.example.org:8443',
    ),
    editCommand(
      context,
      'deny',
      'Deny hosts whatever allows them (every port where none is given)',
      '  firewall deny tracker.example.org\n  firewall deny --tool web.search@v1 .example.net',
    ),
    editCommand(
      context,
      'remove',
      'Take hosts out of the lists and grants of one scope',
      '  firewall remove example.org\n  firewall remove --tool web.search@v1 "*.example.org"',
    ),
  ];
}
