// Owns that IPv6 is held as IPv4 is: every rule and set of one family has its twin of the other.
import { test } from 'tap';
import { listElements } from '../../lib/firewall/elements.ts';
import { sampleModel, staticRules } from './world.ts';

/** What one family has and the other has no word for. */
const single = [
  // Neighbours and routers are ARP's business in IPv4, which is no IP packet; its errors and leases have twins below.
  /icmpv6 type \{ nd-/,
  /^icmp type \{ destination-unreachable/,
  /^udp sport 67 udp dport 68 accept$/,
  /^ip6 saddr fe80::\/10 udp sport 547/,
];

const rulesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !single.some((known) => known.test(line)));

/** The other family's spelling of a line; itself where it speaks of none. */
function twinOf(line: string): string {
  const toSix = /\bip (?:s|d)addr\b|@\w+4\b|\bset \w+4\b|nfproto ipv4/.test(line);
  return toSix
    ? line
        .replaceAll(/\bip (s|d)addr\b/g, 'ip6 $1addr')
        .replaceAll(/(@\w+|\bset \w+)4\b/g, '$16')
        .replaceAll('ipv4_addr', 'ipv6_addr')
        .replaceAll('nfproto ipv4', 'nfproto ipv6')
    : line
        .replaceAll(/\bip6 (s|d)addr\b/g, 'ip $1addr')
        .replaceAll(/(@\w+|\bset \w+)6\b/g, '$14')
        .replaceAll('ipv6_addr', 'ipv4_addr')
        .replaceAll('nfproto ipv6', 'nfproto ipv4');
}

test('every rule and set of one family has its twin', (t) => {
  let twins = 0;
  for (const text of Object.values(staticRules)) {
    const lines = rulesOf(text);
    for (const line of lines) {
      const twin = twinOf(line);
      if (twin !== line) twins++;
      t.ok(lines.includes(twin), `${line}  has  ${twin}`);
    }
  }
  t.ok(twins > 40, 'the control: there are such lines');
  t.end();
});

test('no set of one family is left empty where the other has elements', (t) => {
  const sets = new Map(listElements(sampleModel).map(({ set, elements }) => [set, elements.length]));
  for (const [set, count] of sets) {
    if (!set.endsWith('4')) continue;
    const other = sets.get(`${set.slice(0, -1)}6`);
    t.not(other, undefined, set);
    if (set !== 'open_any4') t.equal(other === 0, count === 0, set);
  }
  t.end();
});
