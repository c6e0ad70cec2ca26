// Owns which addresses a name may resolve to: never the host's own or a cloud's metadata, private ones by exception only.
import { BlockList, isIP } from 'node:net';

/** A network in its one form: `10.1.0.0/16`, `fd00:1::/32`. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
  readonly text: string;
}

/**
 * Ranges that are not the public internet, from IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is
 * given out, so the rest (mapped, NAT64, unique local, link-local, multicast) is named by what it is not.
 */
export const specialNetworks: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/3', '4000::/2', '8000::/1', '2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'],
];

/** Where clouds answer with credentials; no exception opens them, also where they lie in a private or public range. */
export const metadataNetworks: readonly string[] = [
  ...['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
  ...['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128'],
];

/** What an exception may name: RFC 1918, shared (RFC 6598) and unique local addresses. */
const excepted = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'];

type Family = Network['family'];

const familyOf = (address: string): Family => (isIP(address) === 4 ? 'ipv4' : 'ipv6');

/** Whether `address` lies in one of `networks` of its own family: a BlockList alone takes ::ffff:10.0.0.1 for 10.0.0.1. */
function isIn(networks: readonly string[], address: string): boolean {
  const family = familyOf(address);
  const list = new BlockList();
  for (const network of networks) {
    const [start = '', prefix] = network.split('/');
    if (familyOf(start) === family) list.addSubnet(start, Number(prefix), family);
  }
  return list.check(address, family);
}

/** `10.1.0.0/16` read, or what is wrong with it as the rest of a sentence: an exception opens private networks only. */
export function readNetwork(
  text: string,
): { readonly network: Network; readonly fault?: never } | { readonly fault: string } {
  const [address = '', bits, more] = text.split('/');
  const family = familyOf(address);
  const widest = family === 'ipv4' ? 32 : 128;
  const prefix = bits === undefined ? widest : /^(?:0|[1-9][0-9]{0,2})$/.test(bits) ? Number(bits) : -1;
  if (more !== undefined || isIP(address) === 0 || address.includes('%') || prefix < 0 || prefix > widest)
    return { fault: 'is not a network such as 10.1.2.0/24' };
  // The network lies inside one of those whose prefix is no longer than its own and which holds its address.
  const holder = excepted.find((one) => Number(one.split('/')[1]) <= prefix && isIn([one], address));
  if (holder === undefined) return { fault: `is not a private network; those are ${excepted.join(', ')}` };
  return { network: { address, prefix, family, text: `${address}/${prefix}` } };
}

export interface AddressVerdict {
  readonly result: 'allow' | 'deny';
  readonly text: string;
}

/**
 * Whether a name that is allowed may lead to `address` (what DNS said, numeric): public ones, and those of `exceptions`.
 * Every answer of a name must pass; one that does not is a denial of all.
 */
export function decideAddress(address: string, exceptions: readonly Network[]): AddressVerdict {
  if (isIP(address) === 0) return { result: 'deny', text: 'not an address' };
  if (isIn(metadataNetworks, address))
    return { result: 'deny', text: 'link-local or cloud metadata, which nothing opens' };
  if (!isIn(specialNetworks, address)) return { result: 'allow', text: 'public' };
  const by = exceptions.find(({ text }) => isIn([text], address));
  if (by !== undefined) return { result: 'allow', text: `private, excepted by ${by.text}` };
  return { result: 'deny', text: 'private or special-purpose, and no exception names it' };
}
