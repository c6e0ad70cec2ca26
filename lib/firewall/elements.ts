// Owns what stands in the sets of nftables/cofferdam.nft: a model as lists of elements. Pure, sorted, each element once.
import { isIP } from 'node:net';
import { metadataNetworks, specialNetworks } from '../policy/address.ts';
import type { Endpoint, FirewallModel, RegisteredPort, UidRange } from './model.ts';

/** Elements of one set, in nft's words. */
export interface SetElements {
  readonly set: string;
  readonly elements: readonly string[];
}

const byNumbers = new Intl.Collator('en', { numeric: true });

function sorted(elements: readonly string[]): string[] {
  return [...new Set(elements)].sort((a, b) => byNumbers.compare(a, b) || (a < b ? -1 : 1));
}

const isOf = (family: 4 | 6) => (address: string) => isIP(address.split('/')[0] ?? '') === family;

function uids(ranges: readonly UidRange[]): string[] {
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
}

function endpoints(all: readonly Endpoint[], family: 4 | 6): string[] {
  return all.filter(({ address }) => isOf(family)(address)).map(({ address, port }) => `${address} . ${port}`);
}

const everywhere = { 4: '0.0.0.0', 6: '::' } as const;

function openAt(ports: readonly RegisteredPort[], family: 4 | 6): string[] {
  return (
    ports
      .filter(({ address }) => isOf(family)(address) && address !== everywhere[family])
      // Loopback comes in by `lo` only, and that is accepted before; from elsewhere it is never reached.
      .filter(({ address }) => address !== '::1' && !(family === 4 && address.startsWith('127.')))
      .map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`)
  );
}

function openEverywhere(ports: readonly RegisteredPort[], family: 4 | 6): string[] {
  return ports
    .filter(({ address }) => address === everywhere[family])
    .map(({ protocol, port }) => `${protocol} . ${port}`);
}

// A longest prefix is an address, and nft prints it as one.
const network = (text: string) => text.replace(isOf(4)(text) ? /\/32$/ : /\/128$/, '');

/** Every set of the table with its elements, in the order of the table. The model has been checked. */
export function listElements(model: FirewallModel): SetElements[] {
  const { proxy, bridgeUid, ports } = model;
  const families = ([4, 6] as const).flatMap((family) => {
    const those = (all: readonly string[]) => all.filter(isOf(family)).map(network);
    return [
      [`proxy${family}`, endpoints(proxy?.endpoints ?? [], family)],
      [`bridge${family}`, endpoints(model.bridgeEndpoints, family)],
      [`dns${family}`, those(model.dnsServers)],
      [`private_ok${family}`, those(model.privateNetworks.map(({ text }) => text))],
      [`metadata${family}`, those(metadataNetworks)],
      [`special${family}`, those(specialNetworks)],
      [`open${family}`, openAt(ports, family)],
      [`open_any${family}`, openEverywhere(ports, family)],
    ] as const;
  });
  const sets = [
    ['sandbox_uids', uids(model.sandboxUids)],
    ['bridge_uids', bridgeUid === undefined ? [] : [String(bridgeUid)]],
    ['proxy_uids', proxy === undefined ? [] : [String(proxy.uid)]],
    ['host_uids', model.mode === 'strict' ? uids(model.hostUids) : []],
    ['sandbox_interfaces', model.sandboxInterfaces.map((name) => `"${name}"`)],
    ['out_ports', model.outPorts.map(String)],
    ['registered', ports.map(({ protocol, port }) => `${protocol} . ${port}`)],
    ...families,
  ] as const;
  return sets.map(([set, elements]) => ({ set, elements: sorted(elements) }));
}
