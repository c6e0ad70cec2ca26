// Owns `firewall explain`: what would be decided about a host, by which rule, in which line.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { policySourceOf } from '../firewall/policySource.ts';
import { readClock } from '../policy/clock.ts';
import { appliesTo, type Decision, decide, type Principal, readTarget } from '../policy/decide.ts';
import { showHost } from '../policy/hostname.ts';
import { decideLimits } from '../policy/limits.ts';
import { loadPolicy } from '../policy/load.ts';
import { type Narrowing, narrow, readNarrowing } from '../policy/narrowing.ts';
import { webPorts } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { loadProfile } from '../profile/load.ts';
import type { CliContext } from './context.ts';
import { ruleJson } from './firewall-list.ts';
import { addScopeOptions, checkScopeNames, type ScopeOptions } from './firewall-scope.ts';
import { printJson } from './print.ts';

interface ExplainOptions extends ScopeOptions {
  readonly json?: boolean;
}

function scopeNote(policy: Policy, principal: Principal): string[] {
  return (['tool', 'profile'] as const).flatMap((kind) => {
    const name = principal[kind];
    const known = policy.rules.filter(({ scope }) => scope.kind === kind).map(({ scope }) => scope.name);
    if (name === undefined || known.includes(name)) return [];
    return [`the policy has no rules for ${kind} ${name}${didYouMean(name, [...new Set(known)])}`];
  });
}

/** What a person could type to have it allowed; undefined where another rule or the kind of request is in the way. */
function wideningCommand({ reason, host, port }: Decision, { tool, profile }: Principal): string | undefined {
  if (reason !== 'unlisted' && reason !== 'port' && reason !== 'ended') return undefined;
  const scope = tool !== undefined ? `--tool ${tool} ` : profile !== undefined ? `--profile ${profile} ` : '';
  return `firewall allow ${scope}${host}${port === undefined || webPorts.includes(port) ? '' : `:${port}`}`;
}

function print({ terminal }: CliContext, decision: Decision, principal: Principal): void {
  const { result, text, rule, networks, port } = decision;
  terminal.out(
    `${result}  ${showHost(decision.host)}${port === undefined ? '' : `:${port}`}\n  ${printable(text, 700)}\n`,
  );
  if (rule !== undefined) terminal.out(`  ${printable(rule.where, 500)}\n`);
  if (result === 'allow') {
    const excepted = networks.map((one) => one.text).join(', ');
    terminal.out(`  the name may lead to public addresses${excepted === '' ? ' only' : ` and to ${excepted}`}\n`);
  }
  // For people alone: what reads our output through a pipe may be the agent that was denied.
  const command = terminal.outIsTerminal && terminal.errIsTerminal ? wideningCommand(decision, principal) : undefined;
  if (command !== undefined) terminal.out(`  to allow it: ${command}\n`);
}

/** `network.allow` of the profile by that name; undefined where there is none by it. Throws what a profile is refused with. */
function readProfileList({ paths, uid, cwd }: CliContext, profile: string | undefined): Narrowing {
  if (profile === undefined) return undefined;
  try {
    const { network } = loadProfile({ profile, cwd, paths, ceiling: loadHostConfig(paths.hostConfig), uid }).profile;
    const read = readNarrowing(network.allow);
    if (read.fault !== undefined) throw new CofferdamError('CONFIG_INVALID', `${profile}  ${read.fault}`);
    return read.narrowing;
  } catch (cause) {
    // A policy may name one that is another user's, or not made yet.
    if (cause instanceof CofferdamError && cause.code === 'PROFILE_UNKNOWN') return undefined;
    throw cause;
  }
}

function explain(context: CliContext, target: string, { json, tool, profile }: ExplainOptions): void {
  const principal = { tool, profile };
  checkScopeNames({ ...(tool === undefined ? {} : { tool }), ...(profile === undefined ? {} : { profile }) });
  const policy = loadPolicy(policySourceOf(context.paths, context.uid));
  const { host, port } = readTarget(target);
  const decided = decide(policy, principal, host, port, readClock());
  const decision = narrow(decided, readProfileList(context, profile));
  if (decision.result === 'deny') context.exit(1);
  if (json !== true) {
    print(context, decision, principal);
    for (const note of scopeNote(policy, principal)) context.terminal.err(`firewall: ${note}\n`);
    return;
  }
  printJson(context.terminal, {
    ...decision,
    port: decision.port ?? null,
    rule: decision.rule === undefined ? null : ruleJson(decision.rule),
    networks: decision.networks.map((one) => one.text),
    principal: { tool: tool ?? null, profile: profile ?? null },
    limits: decideLimits(policy, (scope) => appliesTo(scope, principal)),
  });
}

/** The `explain` command: exit status 0 for allow, 1 for deny. */
export function explainCommand(context: CliContext): Command {
  const command = createCommand('explain')
    .description('Allow or deny, by which rule, in which file and line; exit status 1 for deny')
    .argument('<host>', 'HOST or HOST:PORT; port 443 when none is given');
  return addScopeOptions(command, false)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Denials come before what allows; of each the tool's rules, then the profile's, then the global ones. The first list
with a matching rule decides; where none has one, it is denied. What the profile itself does not list (network.allow) is
denied whatever the policy says.

Examples:
  firewall explain api.example.org
  firewall explain --tool web.search@v1 --profile python-tools api.example.org:8443
  firewall explain --json 127.0.0.1`,
    )
    .action((target: string, options: ExplainOptions) => explain(context, target, options));
}
