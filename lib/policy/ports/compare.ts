// Owns comparing what is registered with what is really bound. Pure.

import { placeText } from './place.ts';
import type { Listener } from './procNet.ts';
import { isLoopback, overlap, type Registration } from './registry.ts';

/** wide: reached from further than registered; owner: another account's process; stranger: at a port of nobody's. */
export type PortState = 'bound' | 'free' | 'wide' | 'owner' | 'stranger' | 'conflict';

export interface PortFinding {
  readonly state: PortState;
  readonly registration: Registration | undefined;
  readonly listener: Listener | undefined;
  /** A sentence. */
  readonly text: string;
}

export interface Compared {
  readonly registrations: readonly Registration[];
  readonly listeners: readonly Listener[];
  /** Uid of an account, undefined when there is none. */
  readonly uidOf: (account: string) => number | undefined;
}

function judge(listener: Listener, registration: Registration | undefined, { uidOf }: Compared): PortFinding {
  const found = (state: PortState, text: string) => ({ state, registration, listener, text });
  const reach = isLoopback(listener.address) ? '' : ', where other hosts can reach it';
  if (registration === undefined) return found('stranger', `${placeText(listener)} is registered for nobody${reach}`);
  const { name, owner, address } = registration;
  if (listener.address !== address)
    return found('wide', `${placeText(listener)} is ${name}'s, registered at ${address}${reach}`);
  if (uidOf(owner) !== listener.uid)
    return found('owner', `${placeText(listener)} is ${name}'s, of ${owner}, and bound by uid ${listener.uid}`);
  return found('bound', `${placeText(listener)} is bound for ${name}`);
}

// The registration of the place itself before one of the same port elsewhere.
function registrationOf(listener: Listener, registrations: readonly Registration[]): Registration | undefined {
  const { address, port, protocol } = listener;
  const same = registrations.filter((one) => one.port === port && one.protocol === protocol);
  return same.find((one) => one.address === address) ?? same.find((one) => overlap(one, listener)) ?? same[0];
}

function* findConflicts(registrations: readonly Registration[]): Generator<PortFinding> {
  for (const [i, one] of registrations.entries()) {
    const rival = registrations.slice(0, i).find((other) => overlap(one, other));
    if (rival === undefined) continue;
    const text = `${placeText(one)} is ${rival.name}'s, of ${rival.owner} (${rival.where}), and ${one.name}'s, of ${one.owner} (${one.where})`;
    yield { state: 'conflict', registration: one, listener: undefined, text };
  }
}

/** All findings: conflicts of registrations, then each listener, then registrations that nobody uses now. */
export function comparePorts(compared: Compared): PortFinding[] {
  const { registrations, listeners } = compared;
  const judged = listeners
    .toSorted((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1))
    .map((listener) => judge(listener, registrationOf(listener, registrations), compared));
  const used = new Set(judged.map(({ registration }) => registration));
  const free = registrations
    .filter((one) => !used.has(one))
    .map((registration): PortFinding => {
      const text = `${placeText(registration)} is ${registration.name}'s, and not bound`;
      return { state: 'free', registration, listener: undefined, text };
    });
  return [...findConflicts(registrations), ...judged, ...free];
}
