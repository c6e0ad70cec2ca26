// Owns ports.yaml on disk: reading the user's and the host's, and changing the user's.
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { type Paths, resolvePaths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { nameOfUid } from '../../engine/subids.ts';
import { readPolicyText } from '../../policy/load.ts';
import { choosePort } from '../../policy/ports/assign.ts';
import {
  addAssigned,
  addService,
  findByName,
  firstRegistry,
  removeRegistration,
  type Service,
} from '../../policy/ports/edit.ts';
import { parseRegistry, type Registration, type Registry } from '../../policy/ports/registry.ts';
import {
  checkPlace,
  findRegistration,
  type Registries,
  registeredPorts,
  type Wish,
} from '../../policy/ports/resolve.ts';
import { rewriteFile } from '../../policy/rewrite.ts';
import { readListeners } from './listeners.ts';

/** Whose ports: the caller's folders and uid. */
export interface PortCaller {
  readonly paths: Paths;
  readonly uid: number;
}

/** Throws what refuses the widening that is described; nothing is written then. */
export type Permit = (widening: readonly string[]) => void;

/** `~/.config/cofferdam/ports.yaml`, or root's `/etc/cofferdam/ports.yaml`. */
export function portsFileOf(paths: Paths): string {
  return join(paths.config, 'ports.yaml');
}

function accountOf(uid: number): string {
  return nameOfUid(readTextIfPresent('/etc/passwd', 16 << 20) ?? '', uid) ?? `uid-${uid}`;
}

const empty = (file: string): Registry => ({ file, ranges: [], registrations: [] });

/** The registry of the host, which root keeps; undefined when there is none. Throws as parseRegistry(), CONFIG_UNREADABLE. */
export function readHostRegistry({ install }: Paths): Registry | undefined {
  const file = portsFileOf(resolvePaths({ uid: 0, env: {}, install }));
  const text = readPolicyText({ file, uid: 0 });
  return text === undefined ? undefined : parseRegistry(text, file, accountOf(0));
}

function build({ paths, uid }: PortCaller, text: string | undefined): Registries {
  const file = portsFileOf(paths);
  const account = accountOf(uid);
  return {
    own: text === undefined ? empty(file) : parseRegistry(text, file, account),
    host: uid === 0 ? undefined : readHostRegistry(paths),
    account,
  };
}

/** Both registries as they are; one that is missing has nothing. Throws as parseRegistry(), CONFIG_UNREADABLE. */
export function readRegistries(caller: PortCaller): Registries & { readonly missing: boolean } {
  const text = readPolicyText({ file: portsFileOf(caller.paths), uid: caller.uid });
  return { ...build(caller, text), missing: text === undefined };
}

function takenPorts(registries: Registries): (port: number) => boolean {
  const registered = registeredPorts(registries);
  const bound = new Set(readListeners().map(({ port }) => port));
  return (port) => registered.has(port) || bound.has(port);
}

/**
 * The registration of each wish, in their order; a name without one is assigned a port and keeps it. All of them or none, and never
 * the same port to two callers at a time. Without a file `permit` is asked for the first one's range. Throws what `permit` throws,
 * PORT_TAKEN, PORT_UNREGISTERED, PORTS_FULL, and what rewriteFile() does.
 */
export async function allocatePorts(
  caller: PortCaller,
  wishes: readonly Wish[],
  permit: Permit,
): Promise<Registration[]> {
  const file = portsFileOf(caller.paths);
  const now = readRegistries(caller);
  // Most runs have theirs already: then nobody needs to wait for a lock.
  const known = wishes.map((wish) => findRegistration(now, wish));
  if (known.every((one) => one !== undefined)) return known;
  return rewriteFile({ file, uid: caller.uid }, (found) => {
    if (found === undefined) permit([`${printable(file, 300)} is made, with ports from 20000 to 20999 to be assigned`]);
    let text = found ?? firstRegistry;
    for (const wish of wishes) {
      const registries = build(caller, text);
      if (findRegistration(registries, wish) !== undefined) continue;
      const { ranges } = registries.own;
      const port = choosePort({ name: wish.name, uid: caller.uid, ranges, taken: takenPorts(registries) });
      text = addAssigned(text, file, wish.name, port);
    }
    const { own } = build(caller, text);
    const result = wishes.map((wish) => findRegistration(build(caller, text), wish) ?? findByName(own, wish.name));
    return { text: text === found ? undefined : text, result };
  });
}

/**
 * Registers a service, when `permit` lets it; one that is registered just so is left as it is. Throws what `permit` throws, PORT_TAKEN
 * with the owner, and what rewriteFile() does.
 */
export async function registerPort(caller: PortCaller, service: Service, permit: Permit): Promise<Registration> {
  const file = portsFileOf(caller.paths);
  return rewriteFile({ file, uid: caller.uid }, (found) => {
    const text = found ?? firstRegistry;
    const registries = build(caller, text);
    const { name, port, address, protocol, owner = registries.account } = service;
    const there = registries.own.registrations.find((one) => one.name === name);
    if (there !== undefined) {
      if (there.port === port && there.address === address && there.protocol === protocol && there.owner === owner)
        return { text: undefined, result: there };
      throw new CofferdamError('PORT_TAKEN', `${name} is registered already, for ${there.address}:${there.port}`, {
        remedy: `a person takes it out first: sandbox ports release ${name}`,
      });
    }
    checkPlace(registries, service, name);
    permit([`${name} may listen at ${address}:${port} (${protocol}), owner ${owner}`]);
    const edited = addService(text, file, service);
    return { text: edited, result: findByName(parseRegistry(edited, file, registries.account), name) };
  });
}

/**
 * Takes a name out of the caller's registry and gives what it was. An assigned port is anybody's to give back; that a service's port
 * becomes free for others, `permit` is asked. Throws PORTS_MISSING, PORT_UNREGISTERED, and what rewriteFile() does.
 */
export async function releasePort(caller: PortCaller, name: string, permit: Permit): Promise<Registration> {
  const file = portsFileOf(caller.paths);
  return rewriteFile({ file, uid: caller.uid }, (text) => {
    if (text === undefined) throw new CofferdamError('PORTS_MISSING', `there is no registry: ${printable(file, 300)}`);
    const found = findByName(parseRegistry(text, file, accountOf(caller.uid)), name);
    if (found.kind === 'service') permit([`the port ${found.port} of ${name} is free for others`]);
    const edited = removeRegistration(text, file, found);
    parseRegistry(edited, file, accountOf(caller.uid));
    return { text: edited, result: found };
  });
}

/** Takes back what was assigned to names that `isTheirs` knows. Throws what rewriteFile() and parseRegistry() do. */
export async function releaseAssigned(caller: PortCaller, isTheirs: (name: string) => boolean): Promise<void> {
  const file = portsFileOf(caller.paths);
  const find = ({ registrations }: Registry) =>
    registrations.filter(({ kind, name }) => kind === 'assigned' && isTheirs(name));
  if (find(readRegistries(caller).own).length === 0) return;
  await rewriteFile({ file, uid: caller.uid }, (text = '{}') => {
    // From the end, so that the places of those before stay right.
    const theirs = find(parseRegistry(text, file, accountOf(caller.uid))).toReversed();
    const edited = theirs.reduce((now, one) => removeRegistration(now, file, one), text);
    return { text: theirs.length === 0 ? undefined : edited, result: undefined };
  });
}
