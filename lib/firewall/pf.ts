// Owns the same model as a pf anchor, for macOS and BSD hosts (pf.conf(5)). Same input, same bytes.
import { isIP } from 'node:net';
import { listElements } from './elements.ts';
import { checkModel, type Endpoint, type FirewallModel, type RegisteredPort, type UidRange } from './model.ts';

/** How a person checks and loads the anchor, in this order. `pfctl -n` parses and changes nothing. */
export const pfCommands: readonly string[] = [
  'pfctl -n -a cofferdam -f cofferdam.pf.conf',
  'pfctl -a cofferdam -f cofferdam.pf.conf',
  'pfctl -k label -k cofferdam',
];

const header = `# The second wall as an anchor of pf. /etc/pf.conf needs the line:  anchor "cofferdam"
# It must come before other rules with "quick", and "set skip on lo0" must go: loopback is where the proxy listens.
# pf knows the user of TCP and UDP only, and a state made before this was loaded goes on until it is killed.
`;

const braces = (items: readonly string[]) => (items.length === 1 ? `${items[0]}` : `{ ${items.join(', ')} }`);
const familyOf = (address: string) => (isIP(address) === 4 ? 'inet' : 'inet6');

// The grammar of pf.conf(5) has "first:last" for users too, but pfctl reads that as a name; "><" leaves both ends out.
function userRange({ first, last }: UidRange): string {
  if (first === last) return `${first}`;
  return first === 0 ? `<= ${last}` : `${first - 1} >< ${last + 1}`;
}

function users(ranges: readonly UidRange[]): string {
  return `user ${braces(ranges.map(userRange))}`;
}

const one = (uid: number) => users([{ first: uid, last: uid }]);

function to({ address, port }: Endpoint, proto = 'tcp'): string {
  return `${familyOf(address)} proto ${proto} from any to ${address} port ${port}`;
}

const outOfUs = (what: string, label: string) => `pass out quick ${what} keep state label "cofferdam"\t# ${label}`;
const refuse = (what: string, label: string) => `block return out quick ${what} label "cofferdam-${label}"`;

function renderTables(model: FirewallModel): string[] {
  const sets = new Map(listElements(model).map(({ set, elements }) => [set, elements]));
  return ['metadata', 'special', 'private_ok', 'dns'].flatMap((name) => {
    const all = [...(sets.get(`${name}4`) ?? []), ...(sets.get(`${name}6`) ?? [])];
    return all.length === 0 ? [] : [`table <cofferdam_${name}> const { ${all.join(', ')} }`];
  });
}

function renderProxy({ proxy, outPorts, privateNetworks, dnsServers }: FirewallModel): string[] {
  if (proxy === undefined) return [];
  const who = one(proxy.uid);
  const web = `proto tcp from any to %s port ${braces(outPorts.map(String))} ${who}`;
  return [
    ...(dnsServers.length === 0
      ? []
      : [outOfUs(`proto { tcp, udp } from any to <cofferdam_dns> port 53 ${who}`, 'names')]),
    refuse(`proto { tcp, udp } from any to <cofferdam_metadata> ${who}`, 'private'),
    refuse(`proto { tcp, udp } from any to self ${who}`, 'private'),
    ...(outPorts.length === 0 || privateNetworks.length === 0
      ? []
      : [outOfUs(web.replace('%s', '<cofferdam_private_ok>'), 'exceptions')]),
    refuse(`proto { tcp, udp } from any to <cofferdam_special> ${who}`, 'private'),
    ...(outPorts.length === 0 ? [] : [outOfUs(web.replace('%s', 'any'), 'the web')]),
    refuse(`proto { tcp, udp } from any to any ${who}`, 'proxy'),
  ];
}

function renderPort({ protocol, address, port }: RegisteredPort): string[] {
  if (address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))) return [];
  const where = address === '0.0.0.0' || address === '::' ? 'any' : address;
  return [`pass in quick ${familyOf(address)} proto ${protocol} from any to ${where} port ${port} keep state`];
}

function renderPorts(ports: readonly RegisteredPort[]): string[] {
  const blocked = [...new Set(ports.map(({ protocol, port }) => `proto ${protocol} from any to any port ${port}`))];
  return [
    ...ports.flatMap(renderPort),
    ...blocked.map((what) => `block drop in quick on ! lo0 ${what} label "cofferdam-registered"`),
  ];
}

// The host itself: what it began it may finish, by the states of these rules.
function renderStrict({ mode, hostUids }: FirewallModel): string[] {
  if (mode !== 'strict') return [];
  return [
    'pass quick on lo0 from any to any keep state',
    ...(hostUids.length === 0
      ? []
      : [`pass out quick proto { tcp, udp } from any to any ${users(hostUids)} keep state`]),
    'pass quick proto icmp6 from any to any keep state',
    'block return out quick from any to any label "cofferdam-host-out"',
    'block drop in quick from any to any label "cofferdam-host-in"',
  ];
}

/**
 * The anchor's text, for `pfctl -a cofferdam -f`. Interfaces of container networks have no counterpart here. Throws FIREWALL_INPUT
 * for a model that must not be enforced.
 */
export function renderPf(model: FirewallModel): string {
  checkModel(model);
  const { sandboxUids, bridgeUid, bridgeEndpoints, proxy } = model;
  const who = users(sandboxUids);
  const inner = proxy?.endpoints ?? [];
  const bridge = bridgeUid === undefined ? [] : [one(bridgeUid)];
  const parts = [
    renderTables(model),
    [
      ...bridgeEndpoints.map((endpoint) => outOfUs(`${to(endpoint)} ${who}`, 'to the bridge')),
      refuse(`proto { tcp, udp } from any to any ${who}`, 'sandbox'),
    ],
    bridge.flatMap((user) => [
      ...inner.map((endpoint) => outOfUs(`${to(endpoint)} ${user}`, 'to the proxy')),
      refuse(`proto { tcp, udp } from any to any ${user}`, 'bridge'),
    ]),
    renderProxy(model),
    [...inner, ...bridgeEndpoints].map((endpoint) => refuse(to(endpoint), 'inner-port')),
    renderPorts(model.ports),
    renderStrict(model),
  ];
  return `${[header, ...parts.filter((part) => part.length > 0).map((part) => `${part.join('\n')}\n`)].join('\n')}`;
}
