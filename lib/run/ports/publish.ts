// Owns the published ports of a run: which place of the host each has, before anything starts.
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { placeText } from '../../policy/ports/place.ts';
import { overlap } from '../../policy/ports/registry.ts';
import { portNames } from '../../policy/ports/schema.ts';
import type { Profile } from '../../profile/schema.ts';
import type { Host } from '../prepare.ts';
import { findHolders, holderText, readListeners } from './listeners.ts';
import { allocatePorts, type PortCaller, portsFileOf, releaseAssigned } from './registryFile.ts';

/** A port of the host that leads to one on the loopback inside. */
export interface PublishedPort {
  /** Of the registration. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly container: number;
}

/** `web: 127.0.0.1:20417 leads to 8000 inside`. */
export function publishedText({ name, address, port, container }: PublishedPort): string {
  return `${name}: ${placeText({ protocol: 'tcp', address, port })} leads to ${container} inside`;
}

/** The binding of the launch script. */
export function publishWord({ address, port, container }: PublishedPort): string {
  return `publish=${address}=${port}=${container}`;
}

function nameFor(base: string, { name, container }: Profile['ports'][number]): string {
  const found = name ?? `${base}.${container}`;
  if (portNames.registration.safeParse(found).success) return found;
  throw new CofferdamError(
    'VALUE_INVALID',
    `the port ${container} needs a name that "${printable(found, 80)}" is not`,
    {
      remedy: `name it: --publish NAME:${container}`,
    },
  );
}

function refuseBound(published: readonly PublishedPort[]): void {
  const bound = readListeners();
  for (const one of published) {
    const place = { protocol: 'tcp', ...one } as const;
    const there = bound.find((listener) => overlap(listener, place));
    if (there === undefined) continue;
    const holder = holderText(findHolders(new Set([there.inode])).get(there.inode), there.uid);
    throw new CofferdamError('PORT_IN_USE', `${one.name}: ${holder} listens at ${placeText(there)} already`);
  }
}

/**
 * The places of a profile's ports; `base` is what the sandbox is called. Throws PORTS_MISSING, PORT_UNREGISTERED, PORT_TAKEN, PORTS_FULL,
 * PORT_IN_USE with the process as far as we may see it, and what reading or writing ports.yaml throws.
 */
export async function publishPorts(
  ports: Profile['ports'],
  base: string,
  caller: PortCaller,
): Promise<PublishedPort[]> {
  if (ports.length === 0) return [];
  const wishes = ports.map((one) => ({ name: nameFor(base, one), port: one.host }));
  const registrations = await allocatePorts(caller, wishes, () => {
    throw new CofferdamError('PORTS_MISSING', `there is no registry of ports: ${printable(portsFileOf(caller.paths))}`);
  });
  const published = registrations.map(({ name, address, port }, i) => {
    return { name, address, port, container: ports[i]?.container ?? 0 };
  });
  refuseBound(published);
  return published;
}

/**
 * Takes back what was assigned to a sandbox called `base`, which is being removed: its range would be used up by sandboxes that are no more. A
 * registry that cannot be edited does not keep a sandbox from being removed.
 */
export async function giveBackPorts(base: string, host: PortCaller & Pick<Host, 'notice'>): Promise<void> {
  try {
    await releaseAssigned(host, (name) => name.startsWith(`${base}.`) && /^[0-9]+$/.test(name.slice(base.length + 1)));
  } catch (error) {
    if (!(error instanceof CofferdamError)) throw error;
    host.notice(`the ports of ${base} stay assigned: ${printable(error.message, 400)}`);
  }
}
