// Owns what a receipt says of a run's network: by which policy it reached what, and which ports of the host led into it. Pure.
import type { PublishedPort } from '../ports/publish.ts';
import type { Egress } from '../wayOut.ts';
import type { PlanFacts } from './planFacts.ts';
import { type Absent, isAbsent, type Predicate } from './statement.ts';

const unknownWay = 'whoever started the run was gone: what the proxy let out stands in egress/access.log';
const unknownPorts = 'whoever started it was gone: the ports of its profile stand in ports.yaml by their names';

function hasWayOut(facts: PlanFacts | Absent): boolean {
  return !isAbsent(facts) && facts.inputs.profile.resolved.network.mode !== 'none';
}

/** The policy that held at the start of the run. */
export function describePolicy(egress: Egress | undefined, facts: PlanFacts | Absent): Predicate['digests']['policy'] {
  if (egress !== undefined) return { sha256: egress.policy.replace(/^sha256:/, '') };
  if (isAbsent(facts)) return facts;
  return { absent: hasWayOut(facts) ? unknownWay : 'no policy applies: the network is none' };
}

/** What the proxy let out, and what the profile narrowed that to. */
export function describeEgress(egress: Egress | undefined, facts: PlanFacts | Absent): Predicate['egress'] {
  if (egress !== undefined) {
    const { allowed, denied, hostFirewall, problem } = egress;
    const within = isAbsent(facts) ? undefined : facts.inputs.profile.resolved.network.allow;
    if (problem !== undefined) return { absent: problem };
    return { allowed, denied, hostFirewall, ...(within === undefined ? {} : { within }) };
  }
  if (isAbsent(facts)) return facts;
  return hasWayOut(facts) ? { absent: unknownWay } : { allowed: 0, denied: 0, hostFirewall: 'absent' };
}

/** What led in; `ports` is undefined where nobody knows. */
export function describePorts(
  ports: readonly PublishedPort[] | undefined,
  facts: PlanFacts | Absent,
): Predicate['ports'] {
  if (ports !== undefined)
    return ports.map(({ name, address, port, container }) => ({ name, address, port, container }));
  if (isAbsent(facts)) return facts;
  return facts.inputs.profile.resolved.ports.length === 0 ? [] : { absent: unknownPorts };
}
