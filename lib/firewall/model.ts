// Owns the inputs of the second wall as plain values, and what makes them fit to be enforced.
import { isIP } from 'node:net';
import { CofferdamError } from '../base/errors.ts';
import type { Network } from '../policy/address.ts';

/** Host uids `first` to `last`, both included. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** A TCP listener of ours, numeric address. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The Squid that we run: the uid it has, and where it listens on loopback (two while one replaces the other). */
export interface ProxyIdentity {
  readonly uid: number;
  readonly endpoints: readonly Endpoint[];
}

/** A port of the registry. `0.0.0.0` and `::` stand for every address of their family. */
export interface RegisteredPort {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

export interface FirewallModel {
  readonly mode: 'scoped' | 'strict';
  /** Sandboxes: ranges of subordinate uids, and uids that run nothing but sandboxes with a network. */
  readonly sandboxUids: readonly UidRange[];
  /** Undefined where no bridge is installed: then nobody reaches the proxy. */
  readonly bridgeUid: number | undefined;
  /** TCP listeners of the bridge, for sandboxes that have a network. Others use its unix sockets. */
  readonly bridgeEndpoints: readonly Endpoint[];
  /** Undefined where no proxy is installed: then nothing leaves. */
  readonly proxy: ProxyIdentity | undefined;
  /** Ports that the policy's rules open. */
  readonly outPorts: readonly number[];
  /** Private networks that the policy excepts. */
  readonly privateNetworks: readonly Network[];
  /** Numeric addresses of the servers that the proxy asks. */
  readonly dnsServers: readonly string[];
  /** Interfaces of the networks that sandboxes of container engines are on. */
  readonly sandboxInterfaces: readonly string[];
  readonly ports: readonly RegisteredPort[];
  /** Mode strict: who else may send beyond this host. */
  readonly hostUids: readonly UidRange[];
}

/** The last uid; 4294967295 means "none" (chown(2)). */
export const lastUid = 4_294_967_294;

const isUid = (uid: number) => Number.isInteger(uid) && uid >= 0 && uid <= lastUid;
const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
const isLoopback = (address: string) => address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));

function holds(ranges: readonly UidRange[], uid: number): boolean {
  return ranges.some(({ first, last }) => first <= uid && uid <= last);
}

function* findRangeFaults(name: string, ranges: readonly UidRange[]): Generator<string> {
  for (const { first, last } of ranges) {
    if (!isUid(first) || !isUid(last) || last < first) yield `${name}: ${first}-${last} is no range of uids`;
  }
}

function* findEndpointFaults(name: string, endpoints: readonly Endpoint[], loopback: boolean): Generator<string> {
  for (const { address, port } of endpoints) {
    if (isIP(address) === 0 || address.includes('%') || !isPort(port))
      yield `${name}: ${address} ${port} is no address and port`;
    else if (loopback && !isLoopback(address)) yield `${name}: ${address} is not a loopback address`;
    // One entry would stand for every address of the host, whoever listens there.
    else if (address === '0.0.0.0' || address === '::') yield `${name}: ${address} is every address; name one`;
  }
}

// A uid that is two things would have the rights of the first rule that names it.
function* findIdentityFaults({ sandboxUids, bridgeUid, proxy }: FirewallModel): Generator<string> {
  for (const [name, uid] of [
    ['bridge', bridgeUid],
    ['proxy', proxy?.uid],
  ] as const) {
    if (uid === undefined) continue;
    if (!isUid(uid)) yield `the uid of the ${name}, ${uid}, is none`;
    if (uid === 0) yield `the ${name} must not run as root`;
    if (holds(sandboxUids, uid)) yield `the uid of the ${name}, ${uid}, is one of the sandboxes'`;
  }
  if (bridgeUid !== undefined && bridgeUid === proxy?.uid) yield `bridge and proxy have the same uid, ${bridgeUid}`;
  if (holds(sandboxUids, 0)) yield 'root is among the uids of sandboxes';
}

function* findFaults(model: FirewallModel): Generator<string> {
  yield* findRangeFaults('sandboxes', model.sandboxUids);
  yield* findRangeFaults('host', model.hostUids);
  yield* findIdentityFaults(model);
  yield* findEndpointFaults('proxy', model.proxy?.endpoints ?? [], true);
  yield* findEndpointFaults('bridge', model.bridgeEndpoints, false);
  if (model.sandboxUids.length === 0) yield 'no uids of sandboxes are known: the wall would stand around nobody';
  if (model.proxy !== undefined && model.proxy.endpoints.length === 0) yield 'the proxy listens nowhere';
  if (model.proxy !== undefined && model.bridgeUid === undefined)
    yield 'there is a proxy and no bridge that may reach it';
  if (model.bridgeEndpoints.length > 0 && model.bridgeUid === undefined)
    yield 'there are listeners of a bridge and no bridge';
  for (const port of model.outPorts) if (!isPort(port)) yield `${port} is no port`;
  for (const server of model.dnsServers)
    if (isIP(server) === 0 || server.includes('%')) yield `${server} is not the address of a DNS server`;
  for (const { address, port } of model.ports) {
    if (isIP(address) === 0 || address.includes('%') || !isPort(port))
      yield `registered port: ${address} ${port} is no address and port`;
  }
  for (const name of model.sandboxInterfaces) {
    // IFNAMSIZ is 16 with its NUL; a trailing * would be a wildcard to nft.
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(name) || name === 'lo')
      yield `${name} is not the interface of a sandbox network`;
  }
}

/** Throws FIREWALL_INPUT with every fault of `model`; a wall with a hole that nobody wanted is never made. */
export function checkModel(model: FirewallModel): void {
  const details = [...findFaults(model)];
  if (details.length === 0) return;
  throw new CofferdamError('FIREWALL_INPUT', `the firewall cannot be made from this: ${details[0]}`, { details });
}

/** Throws FIREWALL_INPUT when the policy lets something out and there is no proxy that could do it. */
export function checkReach(model: FirewallModel, allows: boolean): void {
  if (!allows || model.proxy !== undefined) return;
  throw new CofferdamError(
    'FIREWALL_INPUT',
    'the policy allows hosts, and no proxy is configured that could reach them',
  );
}
