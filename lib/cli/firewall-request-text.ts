// Owns how a refused request is shown: to a person with the command that allows it, to all else with its id alone.
import { printable } from '../base/printable.ts';
import { approvalCommand, planApproval } from '../policy/approval.ts';
import type { Clock } from '../policy/clock.ts';
import { showHost } from '../policy/hostname.ts';
import type { Policy } from '../policy/policy.ts';
import type { EgressRequest } from '../service/requests/requests.ts';
import type { Terminal } from './context.ts';

const iso = (ms: number) => new Date(ms).toISOString();

/** The request for programs: never the command that would allow it, which may be for the one that was refused to type. */
export function requestJson({
  id,
  run,
  tool,
  profile,
  host,
  port,
  reason,
  text,
  where,
  ...rest
}: EgressRequest): object {
  const { first, last, count, state, until } = rest;
  const asked = { id, run, tool, profile, host, port, reason, text, where };
  return { ...asked, count, first: iso(first), last: iso(last), state, until: until === undefined ? null : iso(until) };
}

/** Whether what we print reaches a person and nobody else: what reads a pipe may be the agent that was refused. */
export function isForPerson({ outIsTerminal, errIsTerminal }: Terminal): boolean {
  return outIsTerminal && errIsTerminal;
}

function stateText({ state, until }: EgressRequest): string {
  if (state === 'waiting') return `waits for an answer until ${iso(until ?? 0)}`;
  if (state === 'approved' && until !== undefined) return `approved until ${iso(until)}`;
  return state === 'expired' ? 'denied: nobody answered' : state;
}

export interface ShownTo {
  readonly person: boolean;
  /** The policy in force; undefined where there is none. */
  readonly policy: Policy | undefined;
  readonly clock: Clock;
  /** Whether they may change it; else root may. */
  readonly policyIsTheirs: boolean;
  /** Whose run asked, where it is another's. */
  readonly caller: number | undefined;
}

/** A few lines, harmless on a terminal. */
export function requestText(request: EgressRequest, shown: ShownTo): string {
  const { id, run, tool, profile, host, port, text, where, last, count } = request;
  const principal = [tool, profile].filter((name) => name !== null).join(', ') || '-';
  const times = count === 1 ? 'once' : `${count} times`;
  const target = `${showHost(host)}:${port}`;
  const whose = shown.caller === undefined ? '' : ` of uid ${shown.caller}`;
  const lines = [
    `${id}  ${iso(last)}  ${target}  by ${printable(principal, 100)}  in ${run}${whose}  ${times}  ${stateText(request)}`,
    `  ${printable(text, 400)}${where === null ? '' : `, ${printable(where, 300)}`}`,
  ];
  if (shown.person) lines.push(`  ${adviceText(request, shown)}`);
  return `${lines.join('\n')}\n`;
}

function adviceText(request: EgressRequest, { policy, clock, policyIsTheirs }: ShownTo): string {
  const plan = planApproval(request, policy, clock);
  if (plan.fault !== undefined) return `no approval helps: ${printable(plan.fault, 400)}`;
  const as = policyIsTheirs ? '' : 'sudo ';
  return `to allow it: ${as}${approvalCommand(plan.edit)}; for a time: ${as}firewall approve ${request.id} --for 15m`;
}
