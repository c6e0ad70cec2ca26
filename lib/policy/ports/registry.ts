// Owns what a registry of ports is once it is read: registrations with owner and place, none of which is in another's way. Pure.
import { isIP } from 'node:net';
import { CofferdamError } from '../../base/errors.ts';
import { inFileOrder, parseStrict } from '../../base/strict.ts';
import { type KeyPath, type Located, parseYaml } from '../../base/yaml.ts';
import { type Place, placeText } from './place.ts';
import { type PortRange, type PortsFile, portsSchema } from './schema.ts';

export interface Registration extends Place {
  readonly name: string;
  /** Account whose processes may bind it. */
  readonly owner: string;
  readonly kind: 'service' | 'assigned';
  readonly about: string;
  /** The key in the file: `["services", 0]`. */
  readonly path: KeyPath;
  /** `file:line:column`. */
  readonly where: string;
}

export interface Registry {
  readonly file: string;
  readonly ranges: readonly PortRange[];
  readonly registrations: readonly Registration[];
}

/** What all assigned ports listen at. */
export const assignedAddress = '127.0.0.1';

const everywhere = ['0.0.0.0', '::'];

/** Whether only this host reaches it. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Whether two cannot be bound at the same time. `::` may take IPv4 too, as Linux does where nobody says otherwise. */
export function overlap(a: Place, b: Place): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  if (a.address === b.address || a.address === '::' || b.address === '::') return true;
  return isIP(a.address) === isIP(b.address) && (everywhere.includes(a.address) || everywhere.includes(b.address));
}

/** Whether one of `ranges` holds `port`. */
export function inRanges(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => first <= port && port <= last);
}

function listRegistrations(content: PortsFile, { where }: Located, account: string): Registration[] {
  const services = content.services.map(({ owner = account, about = '', ...rest }, i): Registration => {
    const path = ['services', i];
    return { ...rest, owner, about, kind: 'service', path, where: where(path) };
  });
  const assigned = content.assigned.map((entry, i): Registration => {
    const path = ['assigned', i];
    const place = { protocol: 'tcp', address: assignedAddress } as const;
    return { ...entry, ...place, owner: account, about: '', kind: 'assigned', path, where: where(path) };
  });
  return [...services, ...assigned];
}

function* findFaults(ranges: readonly PortRange[], all: readonly Registration[]): Generator<string> {
  const names = new Map<string, Registration>();
  const ports = new Map<number, Registration[]>();
  for (const one of all) {
    const text = `${one.where}  ${one.name}`;
    const namesake = names.get(one.name);
    if (namesake !== undefined) yield `${text}: the name stands at ${namesake.where}, too`;
    const rival = ports.get(one.port)?.find((other) => overlap(one, other));
    if (rival !== undefined) yield `${text}: ${placeText(one)} is ${rival.name}'s, of ${rival.owner} (${rival.where})`;
    if (one.kind === 'assigned' && !inRanges(ranges, one.port))
      yield `${text}: ${one.port} is in none of the ranges; register it among the services, or take it out`;
    names.set(one.name, one);
    ports.set(one.port, [...(ports.get(one.port) ?? []), one]);
  }
}

/**
 * A registry from the text of `file`; `account` owns what names no owner. Throws YAML_INVALID and CONFIG_INVALID with
 * `file:line:column`: also for two registrations of one name, or of places that are in each other's way.
 */
export function parseRegistry(text: string, file: string, account: string): Registry {
  const document = parseYaml(text, file);
  try {
    const content = parseStrict(portsSchema, document);
    const registrations = listRegistrations(content, document, account);
    const details = inFileOrder([...findFaults(content.ranges, registrations)]);
    if (details[0] !== undefined) throw new CofferdamError('CONFIG_INVALID', details[0], { details });
    return { file, ranges: content.ranges, registrations };
  } catch (cause) {
    if (!(cause instanceof CofferdamError)) throw cause;
    const remedy = 'mend the line that is named; docs/ports.md says what may stand there';
    throw new CofferdamError(cause.code, cause.message, { cause, remedy, details: cause.details });
  }
}
