// Owns ports from their registry to packets: what is registered is reached, what a sandbox's uid binds is not.
import { test } from 'tap';
import { parseRegistry } from '../../lib/policy/ports/registry.ts';
import { makeHost } from './hostScene.ts';
import { load } from './services.ts';
import { addresses, makeWorld, type Probe, sampleModel, uids } from './world.ts';

const { own4, own6 } = addresses;

const registry = `services:
  - { name: open, port: 9300, address: 0.0.0.0 }
  - { name: near, port: 9301 }
  - { name: one, port: 9302, address: "${own6}" }
  - { name: names, port: 9303, address: 0.0.0.0, protocol: udp }
`;

/** A program of `uid` that listens at `ports` of every address of both families, and says hello. */
const server = (uid: number, ports: readonly number[]) => `import os, select, socket, sys
os.setgroups([]); os.setresgid(${uid}, ${uid}, ${uid}); os.setresuid(${uid}, ${uid}, ${uid})
all = [socket.create_server((a, p), family=f) for p in ${JSON.stringify(ports)}
       for a, f in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6))]
kept = []
print("ready", flush=True)
while True:
    readable, _, _ = select.select([sys.stdin, *all], [], [])
    if sys.stdin in readable: break
    for one in readable:
        connection, _ = one.accept()
        connection.setblocking(False)
        try: connection.sendall(b"hello")
        except OSError: pass
        kept.append(connection)
`;

/** From where, which port of which address, whether it is reached in mode scoped and in mode strict. */
const cases = [
  ['net', own4, 9300, true, true],
  ['net', own6, 9300, false, false],
  ['net', own4, 9301, false, false],
  ['net', own6, 9301, false, false],
  ['net', own4, 9302, false, false],
  ['net', own6, 9302, true, true],
  // Of the same person, and registered for nobody.
  ['net', own4, 9310, true, false],
  // Bound by a sandbox's uid: what it answers does not leave, not even to this host.
  ['net', own4, 9400, false, false],
  ['net', own6, 9400, false, false],
  ['host', '127.0.0.1', 9400, false, false],
  ['host', '127.0.0.1', 9301, true, true],
  ['host', '127.0.0.1', 9310, true, true],
] as const;

test('a registered port is reached where it is registered; one that a sandbox uid binds is not', async (t) => {
  const world = makeWorld(t);
  await world.start('host', server(uids.person, [9300, 9301, 9302, 9310]));
  await world.start('host', server(uids.sandbox, [9400]));
  const check = (column: 3 | 4 | undefined, mode: string) => {
    for (const where of ['host', 'net'] as const) {
      const here = cases.filter(([from]) => from === where);
      const answers = world.probe(
        here.map(([, address, port]): Probe => ({ uid: uids.person, proto: 'tcp', address, port })),
        where,
      );
      for (const [i, one] of here.entries()) {
        const wanted = column === undefined ? true : one[column];
        t.equal(answers[i] === 'passed', wanted, `${mode}: ${one.slice(0, 3).join(' ')}: ${answers[i]}`);
      }
    }
  };
  check(undefined, 'without the table');
  const ports = parseRegistry(registry, 'ports.yaml', 'root').registrations;
  load(world, { ...sampleModel, ports });
  check(3, 'scoped');
  load(world, { ...sampleModel, mode: 'strict', ports });
  check(4, 'strict');
});

test('firewall plan takes its inbound sets from the registry of root, for nftables and pf', async (t) => {
  const host = await makeHost(t);
  host.writePolicy('{}\n');
  const write = (text: string) => host.run(['sh', '-c', 'umask 022; cat >/etc/cofferdam/ports.yaml'], text);
  t.notMatch(host.firewall('plan').stdout, /tcp \. 9300/, 'without a registry there is none');
  t.equal(write(registry).status, 0);
  const { stdout, stderr, status } = host.firewall('plan');
  t.equal(status, 0, stderr);
  t.match(stdout, /registered \{\n\ttcp \. 9300,\n\ttcp \. 9301,\n\ttcp \. 9302,\n\tudp \. 9303,\n\}/);
  t.match(stdout, /open_any4 \{\n\ttcp \. 9300,\n\tudp \. 9303,\n\}/);
  t.match(stdout, `open6 {\n\t${own6} . tcp . 9302,\n}`);
  t.notMatch(stdout, /open[^{]*\{[^}]*9301/, 'what is on loopback is opened nowhere');
  t.match(host.firewall('plan', '--backend', 'pf').stdout, /pass in quick inet proto tcp from any to any port 9300 /);
  t.equal(write('services: [{name: a, port: 0}]\n').status, 0);
  t.match(host.firewall('plan'), { status: 2, stdout: '', stderr: /ports\.yaml:1:22/ });
});
