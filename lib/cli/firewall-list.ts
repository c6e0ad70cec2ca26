// Owns `firewall list`: every rule of the policy with its scope, its end and its line.
import { type Command, createCommand } from 'commander';
import { printable } from '../base/printable.ts';
import { policySourceOf } from '../firewall/policySource.ts';
import { type Clock, isLive, readClock } from '../policy/clock.ts';
import { showHost } from '../policy/hostname.ts';
import { loadPolicy } from '../policy/load.ts';
import { type Policy, type Rule, scopeText } from '../policy/policy.ts';
import type { CliContext } from './context.ts';
import { printJson, printTable } from './print.ts';

/** A rule as JSON has it. */
export function ruleJson({ effect, scope, pattern, end, where }: Rule): object {
  const until = end === undefined ? null : new Date(end.wallMs).toISOString();
  return { effect, scope: scope.kind, name: scope.name === '' ? null : scope.name, host: pattern.text, until, where };
}

function policyJson({ file, mode, dnsServers, rules, exceptions, limits }: Policy, clock: Clock): object {
  return {
    file,
    mode,
    dnsServers,
    rules: rules.map((rule) => ({ ...ruleJson(rule), live: isLive(rule.end, clock) })),
    private: exceptions.map(({ scope, pattern, networks, where }) => {
      const name = scope.name === '' ? null : scope.name;
      return { scope: scope.kind, name, host: pattern.text, addresses: networks.map(({ text }) => text), where };
    }),
    limits: limits.map(({ scope, limits: stated }) => ({ scope: scope.kind, name: scope.name || null, ...stated })),
  };
}

function untilText({ end }: Rule, clock: Clock): string {
  if (end === undefined) return '-';
  return isLive(end, clock) ? new Date(end.wallMs).toISOString() : 'ended';
}

function list(context: CliContext, json: boolean): void {
  const policy = loadPolicy(policySourceOf(context.paths, context.uid));
  const clock = readClock();
  if (json) {
    printJson(context.terminal, policyJson(policy, clock));
    return;
  }
  const exceptions = policy.exceptions.map(({ scope, pattern, networks, where }) => {
    const host = `${showHost(pattern.text)} at ${networks.map(({ text }) => text).join(', ')}`;
    return ['private', host, scopeText(scope), '-', printable(where, 300)];
  });
  const rules = policy.rules.map((rule) => {
    const { effect, pattern, scope, where } = rule;
    return [effect, showHost(pattern.text), scopeText(scope), untilText(rule, clock), printable(where, 300)];
  });
  printTable(context.terminal, ['rule', 'host', 'for', 'until', 'set in'], [...rules, ...exceptions]);
  if (!policy.rules.some(({ effect, end }) => effect === 'allow' && isLive(end, clock)))
    context.terminal.err('firewall: nothing is allowed: every request is denied\n');
}

/** The `list` command. */
export function listCommand(context: CliContext): Command {
  return createCommand('list')
    .description('Every rule, whose it is, when it ends and where it stands')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExamples:\n  firewall list\n  firewall list --json')
    .action(({ json }: { json?: boolean }) => list(context, json === true));
}
