// Owns whether a name may have a port: its own registration, nobody else's, and the host's registry before a user's. Pure.
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { type Place, placeText } from './place.ts';
import { overlap, type Registration, type Registry } from './registry.ts';

export interface Registries {
  /** Of the caller; root's is the host's. */
  readonly own: Registry;
  /** The host's, where that is another and there is one. */
  readonly host: Registry | undefined;
  /** Account of the caller. */
  readonly account: string;
}

export interface Wish {
  readonly name: string;
  /** Port of the host, 0 for the one of the name. */
  readonly port: number;
}

const all = ({ own, host }: Registries) => [...(host?.registrations ?? []), ...own.registrations];

/** Every port of both registries: what no assignment may give to another name. */
export function registeredPorts(registries: Registries): ReadonlySet<number> {
  return new Set(all(registries).map(({ port }) => port));
}

function taken(place: Place, name: string, by: Registration): CofferdamError {
  const whose = `registered for ${printable(by.name, 80)}, owner ${by.owner} (${printable(by.where, 300)})`;
  return new CofferdamError('PORT_TAKEN', `${printable(name, 80)} cannot have ${placeText(place)}: it is ${whose}`);
}

/** Throws PORT_TAKEN where another registration than `mine` has the place. */
export function checkPlace(registries: Registries, place: Place, name: string, mine?: Registration): void {
  const rival = all(registries).find((one) => one !== mine && overlap(one, place));
  if (rival !== undefined) throw taken(place, name, rival);
}

/**
 * The registration that lets the caller listen for `wish`, or undefined when one may be assigned. Throws PORT_TAKEN naming the owner
 * when it is somebody else's, PORT_UNREGISTERED for a port that nobody registered.
 */
export function findRegistration(registries: Registries, { name, port }: Wish): Registration | undefined {
  const { account, own, host } = registries;
  // A name is one of its file: what root calls as we do is in nobody's way, a port is.
  const named = [...(host?.registrations ?? []).filter(({ owner }) => owner === account), ...own.registrations];
  const candidates = (port === 0 ? named : all(registries)).filter(
    (one) => one.protocol === 'tcp' && (port === 0 ? one.name === name : one.port === port),
  );
  const mine = candidates.find((one) => one.name === name && one.owner === account);
  if (mine !== undefined) {
    checkPlace(registries, mine, name, mine);
    return mine;
  }
  const [other] = candidates;
  if (other !== undefined) throw taken(other, name, other);
  if (port === 0) return undefined;
  throw new CofferdamError(
    'PORT_UNREGISTERED',
    `the port ${port} of the host is not registered for ${printable(name, 80)}`,
  );
}
