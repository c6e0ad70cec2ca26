// Owns reading ports.yaml: what it means, and that every fault has its line.
import { test } from 'tap';
import { parseRegistry } from '../../../lib/policy/ports/registry.ts';

const read = (...lines: readonly string[]) => parseRegistry(`${lines.join('\n')}\n`, 'p.yaml', 'alice');

test('a registration listens on loopback by TCP and is of whose file it is, unless it says otherwise', async (t) => {
  const { ranges, registrations } = read(
    'ranges: [{first: 20000, last: 20009}]',
    'services:',
    '  - {name: web, port: 8080}',
    '  - {name: dns, port: 53, address: "::1", protocol: udp, owner: unbound, about: names}',
    'assigned:',
    '  - {name: work.8000, port: 20003}',
  );
  t.strictSame(ranges, [{ first: 20000, last: 20009 }]);
  const found = registrations.map(({ name, protocol, address, port, owner, kind, where }) =>
    [name, protocol, address, port, owner, kind, where].join(' '),
  );
  t.strictSame(found, [
    'web tcp 127.0.0.1 8080 alice service p.yaml:3:5',
    'dns udp ::1 53 unbound service p.yaml:4:5',
    'work.8000 tcp 127.0.0.1 20003 alice assigned p.yaml:6:5',
  ]);
});

test('missing lists and empty ones are the same', async (t) => {
  const { file: _, ...none } = read('{}');
  const { file: __, ...empty } = read('{ranges: [], services: [], assigned: []}');
  t.strictSame(none, empty);
  t.strictSame(none, { ranges: [], registrations: [] });
});

const faults: Readonly<Record<string, readonly [lines: readonly string[], message: RegExp]>> = {
  'an unknown key': [['service: []'], /^p\.yaml:1:1 {2}service: unknown key; did you mean "services"\?/],
  'an unknown key of a service': [
    ['services:', '  - {name: web, prot: 80, port: 80}'],
    /^p\.yaml:2:17 .*did you mean "port"/,
  ],
  'a name of digits alone': [['services: [{name: "80", port: 80}]'], /not a name/],
  'a name with a line end': [['services: [{name: "a\\nb", port: 80}]'], /not a name/],
  'an address that is none': [['services: [{name: a, port: 80, address: localhost}]'], /1:32 .*IP address/],
  'an address in a second spelling': [['services: [{name: a, port: 80, address: "0:0::1"}]'], /shortest form/],
  'an address with a zone': [['services: [{name: a, port: 80, address: "fe80::1%eth0"}]'], /shortest form/],
  'the port 0': [['services: [{name: a, port: 0}]'], /at least 1/],
  'a port in quotes': [['services: [{name: a, port: "80"}]'], /a number/],
  'a range below 1024': [['ranges: [{first: 80, last: 90}]'], /at least 1024/],
  'a range that ends before it begins': [['ranges: [{first: 3000, last: 2000}]'], /ends before it begins/],
  'a name twice': [
    ['services:', '  - {name: a, port: 80}', '  - {name: a, port: 81}'],
    /^p\.yaml:3:5 {2}a: the name stands at p\.yaml:2:5/,
  ],
  'a port twice': [
    ['services:', '  - {name: a, port: 80, owner: bob}', '  - {name: b, port: 80}'],
    /^p\.yaml:3:5 {2}b: 127\.0\.0\.1:80 is a's, of bob \(p\.yaml:2:5\)/,
  ],
  'a port at one address that another has at all': [
    ['services:', '  - {name: a, port: 80, address: 0.0.0.0}', '  - {name: b, port: 80, address: 127.0.0.2}'],
    /b: 127\.0\.0\.2:80 is a's/,
  ],
  'a port of IPv4 that another has at all of IPv6': [
    ['services:', '  - {name: a, port: 80, address: "::"}', '  - {name: b, port: 80}'],
    /b: 127\.0\.0\.1:80 is a's/,
  ],
  'an assigned port outside of the ranges': [
    ['ranges: [{first: 2000, last: 2001}]', 'assigned:', '  - {name: a, port: 3000}'],
    /^p\.yaml:3:5 {2}a: 3000 is in none of the ranges/,
  ],
};

for (const [fault, [lines, message]] of Object.entries(faults)) {
  test(`refuses ${fault}`, async (t) => {
    t.throws(() => read(...lines), { code: 'CONFIG_INVALID', exit: 2, message });
  });
}

test('the same port stands at two addresses, two families or two protocols', async (t) => {
  const { registrations } = read(
    'services:',
    '  - {name: a, port: 80}',
    '  - {name: b, port: 80, address: 127.0.0.2}',
    '  - {name: c, port: 80, address: "::1"}',
    '  - {name: d, port: 80, protocol: udp, address: 0.0.0.0}',
  );
  t.equal(registrations.length, 4);
});
