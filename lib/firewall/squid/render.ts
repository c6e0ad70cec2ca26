// Owns the squid.conf of a policy: what Squid enforces of it by names, ports and addresses. Same input, same bytes.
import { isIP } from 'node:net';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { Clock } from '../../policy/clock.ts';
import type { ParentProxy } from '../../policy/parentProxy.ts';
import type { Policy } from '../../policy/policy.ts';
import { renderDecision } from './decision.ts';
import { renderGuard } from './guard.ts';
import type { PrincipalNumbers } from './numbers.ts';
import { renderParent } from './parent.ts';
import { renderPrincipals } from './principals.ts';
import { renderProcess } from './process.ts';
import { renderRules } from './rules.ts';
import { renderSni } from './sni.ts';

export interface SquidInput {
  readonly policy: Policy;
  /** Grants that have ended by it are left out: when one ends, render anew. */
  readonly clock: Clock;
  /** On 127.0.0.1. */
  readonly port: number;
  readonly numbers: PrincipalNumbers;
  /** What everything goes through (chooseParent()); undefined: Squid reaches hosts itself. */
  readonly parent: ParentProxy | undefined;
  /** strict: a tunnel must begin with TLS for a name that is allowed (squid-openssl). */
  readonly sni: 'off' | 'strict';
  /** PEM file with a key and certificate, which Squid wants for `strict` and never shows to anybody. */
  readonly certificate?: string | undefined;
  /** Numeric; empty: those of resolv.conf. */
  readonly dnsServers: readonly string[];
  /** Where a line for each request goes: a file or fifo that the reader has open. */
  readonly logFile: string;
  readonly cacheLog: string;
  /** Where pages.ts's files are. */
  readonly pagesFolder: string;
  readonly fdLimit: number;
}

// Squid splits lines at blanks, and knows quotes, ${macros} and %codes.
const plainPath = /^\/[A-Za-z0-9_./+@=-]+$/;

function* findFaults({ port, dnsServers, fdLimit, ...input }: SquidInput): Generator<string> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) yield `${port} is no port`;
  if (!Number.isInteger(fdLimit) || fdLimit < 64) yield `${fdLimit} open files are too few`;
  for (const server of dnsServers)
    if (isIP(server) === 0 || server.includes('%')) yield `${printable(server, 60)} is not the address of a DNS server`;
  for (const path of [
    input.logFile,
    input.cacheLog,
    input.pagesFolder,
    ...(input.certificate === undefined ? [] : [input.certificate]),
  ])
    if (!plainPath.test(path)) yield `the path ${printable(path)} cannot stand in squid.conf`;
  if (input.sni === 'strict' && input.certificate === undefined) yield 'sni strict needs a certificate';
}

/** The text of squid.conf. Throws FIREWALL_INPUT for what must not be rendered. */
export function renderSquid(input: SquidInput): string {
  const details = [...findFaults(input)];
  if (details[0] !== undefined)
    throw new CofferdamError('FIREWALL_INPUT', `the proxy cannot be made from this: ${details[0]}`, { details });
  const { policy, numbers, clock, parent } = input;
  const rules = renderRules(policy, numbers, clock);
  const guard = renderGuard(policy, numbers);
  const sni = renderSni(input, rules);
  const sections = {
    'What Squid is': renderProcess(input, sni.listener),
    'Who asks': renderPrincipals(numbers),
    'What the rules say': rules.acls,
    'What a name may lead to': guard.acls,
    'The decision': renderDecision({ rules, guard, resolvesHere: parent === undefined }),
    'Inside of tunnels': sni.lines,
    'The way on': renderParent(parent),
  };
  return Object.entries(sections)
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `# ${title}\n${lines.join('\n')}\n`)
    .join('\n');
}
