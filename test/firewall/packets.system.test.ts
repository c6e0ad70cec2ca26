// Owns what the second wall stops and lets pass, with real packets: every case also without the table, where all pass.
import { test } from 'tap';
import { load, populate } from './services.ts';
import { addresses, makeWorld, type Probe, sampleModel, uids } from './world.ts';

type Who = keyof typeof uids;
type Case = readonly [who: Who, proto: Probe['proto'], address: string, port: number, passes: boolean];

const loopback = ['127.0.0.1', '::1'] as const;
const { metadata, own4, own6, dns4, dns6, private4, private6, excepted4, excepted6, public4, public6 } = addresses;
const publics = [public4, public6] as const;

/** One case for each family. */
const both = (who: Who, proto: Probe['proto'], to: readonly string[], port: number, passes: boolean): Case[] =>
  to.map((address) => [who, proto, address, port, passes]);

const scoped: readonly Case[] = [
  // A sandbox reaches the bridge's listener and nothing else, whatever part of its range it has.
  ...(['sandbox', 'subuid'] as const).flatMap((who) => [
    ...both(who, 'tcp', loopback, 3131, true),
    ...both(who, 'tcp', loopback, 3129, false),
    ...both(who, 'tcp', loopback, 9000, false),
    ...both(who, 'udp', loopback, 9001, false),
    ...both(who, 'tcp', publics, 443, false),
    ...both(who, 'tcp', publics, 80, false),
    ...both(who, 'udp', publics, 443, false),
    ...both(who, 'tcp', [dns4, dns6], 53, false),
    ...both(who, 'udp', [dns4, dns6], 53, false),
    ...both(who, 'udp', loopback, 53, false),
    ...both(who, 'tcp', [private4, private6, excepted4, excepted6], 443, false),
    ...both(who, 'tcp', metadata, 80, false),
    ...both(who, 'tcp', [own4, own6], 9000, false),
    ...both(who, 'icmp', publics, 0, false),
  ]),
  ['sandbox', 'tcp', `::ffff:${public4}`, 443, false],
  // The bridge reaches the proxy and nothing else.
  ...both('bridge', 'tcp', loopback, 3129, true),
  ...both('bridge', 'tcp', loopback, 9000, false),
  ...both('bridge', 'tcp', publics, 443, false),
  ...both('bridge', 'udp', [dns4, dns6], 53, false),
  // The proxy reaches public hosts on the policy's ports, its DNS servers, and what is excepted.
  ...both('proxy', 'tcp', publics, 443, true),
  ...both('proxy', 'tcp', publics, 80, true),
  ...both('proxy', 'tcp', publics, 8080, false),
  ...both('proxy', 'udp', publics, 443, false),
  ...both('proxy', 'udp', [dns4, dns6], 53, true),
  ...both('proxy', 'tcp', [dns4, dns6], 53, true),
  ...both('proxy', 'udp', publics, 53, false),
  ...both('proxy', 'tcp', [private4, private6], 443, false),
  ...both('proxy', 'tcp', [excepted4, excepted6], 443, true),
  ...both('proxy', 'tcp', [excepted4, excepted6], 8080, false),
  ...both('proxy', 'tcp', metadata, 80, false),
  ...both('proxy', 'tcp', [own4, own6, ...loopback], 443, false),
  ...both('proxy', 'icmp', publics, 0, false),
  // Nobody else speaks to the proxy or to the bridge's listener; everything else of theirs is as it was.
  ...(['person', 'system'] as const).flatMap((who) => [
    ...both(who, 'tcp', loopback, 3129, false),
    ...both(who, 'tcp', loopback, 3131, false),
    ...both(who, 'tcp', loopback, 9000, true),
    ...both(who, 'tcp', publics, 8080, true),
    ...both(who, 'udp', [dns4, dns6], 53, true),
    ...both(who, 'tcp', [private4, private6, ...metadata], 80, true),
    ...both(who, 'icmp', publics, 0, true),
  ]),
];

const strict: readonly Case[] = [
  ...scoped.filter(([who]) => who !== 'person' && who !== 'system'),
  ...both('system', 'tcp', publics, 8080, true),
  ...both('system', 'udp', [dns4, dns6], 53, true),
  ...both('person', 'tcp', loopback, 9000, true),
  ...both('person', 'tcp', loopback, 3129, false),
  ...both('person', 'tcp', publics, 443, false),
  ...both('person', 'udp', [dns4, dns6], 53, false),
  ...both('person', 'icmp', publics, 0, false),
];

const toProbe = ([who, proto, address, port]: Case): Probe => ({ uid: uids[who], proto, address, port });
const titleOf = ([who, proto, address, port]: Case) => `${who} ${proto} ${address} ${port}`;

for (const [mode, cases] of [
  ['scoped', scoped],
  ['strict', strict],
] as const) {
  test(`mode ${mode}: each identity reaches what is its own and nothing else`, async (t) => {
    const world = makeWorld(t);
    await populate(world);
    const probes = cases.map(toProbe);
    const without = world.probe(probes);
    for (const [i, one] of cases.entries()) t.equal(without[i], 'passed', `without the table: ${titleOf(one)}`);
    load(world, { ...sampleModel, mode });
    const under = world.probe(probes);
    for (const [i, one] of cases.entries()) t.equal(under[i] === 'passed', one[4], `${titleOf(one)}: ${under[i]}`);
    world.host(['/usr/sbin/nft', 'delete', 'table', 'inet', 'cofferdam']);
    t.strictSame(world.probe(probes), without, 'all pass again when it is gone');
  });
}

/** From outside: address, protocol, port, whether it passes in mode scoped and in mode strict. */
const inbound = [
  [own4, 'tcp', 8081, false, false],
  [own6, 'tcp', 8081, false, false],
  [own4, 'tcp', 8082, true, true],
  [own6, 'tcp', 8082, true, true],
  [own4, 'udp', 8083, true, true],
  [own6, 'udp', 8083, false, false],
  [own4, 'tcp', 9002, true, false],
  [own6, 'tcp', 9002, true, false],
  [own4, 'icmp', 0, true, false],
] as const;

test('a registered port is reached from outside where it is registered, and nowhere else', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  const probes = inbound.map(([address, proto, port]) => ({ uid: 0, proto, address, port }));
  world.net(['/usr/bin/sh', '-c', 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range']);
  for (const answer of world.probe(probes, 'net')) t.equal(answer, 'passed', 'without the table');
  for (const [mode, column] of [
    ['scoped', 3],
    ['strict', 4],
  ] as const) {
    load(world, { ...sampleModel, mode });
    const answers = world.probe(probes, 'net');
    for (const [i, one] of inbound.entries())
      t.equal(answers[i] === 'passed', one[column], `${mode}: ${one.slice(0, 3).join(' ')}: ${answers[i]}`);
  }
});

test('an answer to the port that a program of the host chose for itself passes, registered or not', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  const probe: Probe = { uid: uids.person, proto: 'tcp', address: public4, port: 443, from_port: 8085 };
  load(world, { ...sampleModel, ports: [{ protocol: 'tcp', address: '127.0.0.1', port: 8085 }] });
  t.strictSame(world.probe([probe]), ['passed']);
});

test('without proxy and bridge nothing of a sandbox leaves', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  const cases = both('sandbox', 'tcp', [...loopback], 3131, false).concat(
    both('sandbox', 'tcp', [...publics], 443, false),
  );
  for (const answer of world.probe(cases.map(toProbe))) t.equal(answer, 'passed', 'without the table');
  load(world, { ...sampleModel, proxy: undefined, bridgeUid: undefined, bridgeEndpoints: [] });
  for (const answer of world.probe(cases.map(toProbe))) t.not(answer, 'passed');
  t.match(
    world.host(['/usr/sbin/nft', 'list', 'counter', 'inet', 'cofferdam', 'sandbox_refused']),
    /packets [1-9]/,
    'they are counted',
  );
});

test('a sandbox on a network of its own reaches the bridge and nothing of the host or beyond', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  const gateways = ['172.30.0.1', 'fd00:30::1'] as const;
  const sandbox = world.attach('cft-sbx0', gateways, ['172.30.0.2', 'fd00:30::2']);
  world.net(['/usr/sbin/ip', 'route', 'add', '172.30.0.0/24', 'via', own4]);
  world.net(['/usr/sbin/ip', '-6', 'route', 'add', 'fd00:30::/64', 'via', own6]);
  await world.serve(
    'host',
    gateways.map((address) => ({ proto: 'udp' as const, address, port: 53 })),
  );
  const cases = [
    ...gateways.map((address) => ({ proto: 'tcp', address, port: 3131, passes: true }) as const),
    ...gateways.map((address) => ({ proto: 'tcp', address, port: 9000, passes: false }) as const),
    ...gateways.map((address) => ({ proto: 'udp', address, port: 53, passes: false }) as const),
    ...[own4, own6].map((address) => ({ proto: 'tcp', address, port: 3131, passes: false }) as const),
    ...publics.map((address) => ({ proto: 'tcp', address, port: 443, passes: false }) as const),
    ...[dns4, dns6].map((address) => ({ proto: 'udp', address, port: 53, passes: false }) as const),
    ...[private4, private6, metadata[0]].map(
      (address) => ({ proto: 'tcp', address, port: 80, passes: false }) as const,
    ),
  ];
  const probes = cases.map(({ proto, address, port }) => ({ uid: 0, proto, address, port }));
  for (const [i, answer] of sandbox(probes).entries())
    t.equal(answer, 'passed', `without the table: ${JSON.stringify(cases[i])}`);
  load(world, { ...sampleModel, bridgeEndpoints: gateways.map((address) => ({ address, port: 3131 })) });
  for (const [i, answer] of sandbox(probes).entries())
    t.equal(answer === 'passed', cases[i]?.passes, `${JSON.stringify(cases[i])}: ${answer}`);
});
