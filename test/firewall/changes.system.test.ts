// Owns what a change of the rules does to connections, with real packets: those under way, and those begun meanwhile.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Test, test } from 'tap';
import { removalScript, renderNftables } from '../../lib/firewall/render.ts';
import { readCounters } from '../../lib/firewall/state.ts';
import { load, populate } from './services.ts';
import { addresses, makeWorld, sampleModel, staticRules, uids, type World } from './world.ts';

/** A connection that is held open on the host: what it says, it says on a line. */
async function holdOpen(
  t: Test,
  world: World,
  script: string,
): Promise<{ lines: AsyncIterator<string>; say(text: string): void }> {
  const child = spawn('/usr/sbin/ip', ['netns', 'exec', world.hostName, '/usr/bin/python3', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(
    () => new Promise((done) => (child.exitCode === null ? child.once('exit', done).kill() : done(undefined))),
  );
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { lines, say: (text) => void child.stdin.write(`${text}\n`) };
}

const talker = `import os, socket, sys
os.setgroups([]); os.setresgid(64002, 64002, 64002); os.setresuid(64002, 64002, 64002)
s = socket.create_connection(("10.8.8.10", 443), 2)
s.settimeout(2)
print(s.recv(5).decode(), flush=True)
for line in sys.stdin:
    try:
        s.send(b"x" * 100); s.send(b"y" * 100)
        print("sent" if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 else "cut", flush=True)
    except OSError as error:
        print("cut", flush=True)
`;

test('tightening cuts what is under way', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  load(world, sampleModel);
  const { lines, say } = await holdOpen(t, world, talker);
  t.strictSame((await lines.next()).value, 'hello');
  say('go');
  t.strictSame((await lines.next()).value, 'sent', 'as long as it is allowed');
  load(world, sampleModel);
  say('go');
  t.strictSame((await lines.next()).value, 'sent', 'the same rules again cut nothing');
  load(world, { ...sampleModel, privateNetworks: [] });
  say('go');
  t.strictSame((await lines.next()).value, 'cut');
});

test('a change refills the table that stands: one made anew would leave a gap between the two', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  const counted = () =>
    readCounters(world.host(['/usr/sbin/nft', '-j', 'list', 'table', 'inet', 'cofferdam'])).get('sandbox_refused');
  load(world, sampleModel);
  world.probe([{ uid: uids.sandbox, proto: 'tcp', address: addresses.public4, port: 443 }]);
  const before = counted();
  t.ok((before ?? 0) > 0);
  load(world, { ...sampleModel, mode: 'strict', outPorts: [8443] });
  t.equal(counted(), before, 'what it had counted stands');
  world.host(['/usr/sbin/nft', '-f', '-'], removalScript);
  load(world, sampleModel);
  t.equal(counted(), 0, 'control: made anew it counts from the beginning');
});

test('twenty rebuilds under load lose no allowed connection and pass no forbidden one', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  load(world, sampleModel);
  const to = { proto: 'tcp', address: addresses.public4, port: 443, patience: 20 } as const;
  const pair = [
    { uid: uids.proxy, ...to },
    { uid: uids.sandbox, ...to },
  ];
  const probes = Array.from({ length: 150 }, () => pair).flat();
  const rebuild = renderNftables(sampleModel, staticRules);
  const loader = spawn(
    '/usr/sbin/ip',
    [
      'netns',
      'exec',
      world.hostName,
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do nft -f "$0" || exit 1; done',
      write(t, rebuild),
    ],
    { stdio: 'inherit' },
  );
  const done = new Promise((finish) => loader.once('exit', finish));
  const answers: string[] = [];
  while (loader.exitCode === null && answers.length < 12_000) {
    answers.push(...world.probe(probes));
    await new Promise(setImmediate);
  }
  t.equal(await done, 0);
  t.ok(answers.length >= 300);
  t.strictSame([...new Set(answers.filter((_, i) => i % 2 === 0))], ['passed']);
  t.notOk(answers.some((answer, i) => i % 2 === 1 && answer === 'passed'));
});

function write(t: Test, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-packets-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'script.nft'), script);
  return join(folder, 'script.nft');
}

// The receiver reads only after the sender's process is gone: most of it is then sent by a socket that has no uid any more.
const leftover = `import os, socket
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
l.bind(("127.0.0.1", 3130)); l.listen()
child = os.fork()
if child == 0:
    os.setgroups([]); os.setresgid(UID, UID, UID); os.setresuid(UID, UID, UID)
    try:
        s = socket.create_connection(("127.0.0.1", 3130), 2)
        s.setblocking(False); s.send(b"x" * 1000000)
    except OSError as error:
        pass
    os._exit(0)
os.waitpid(child, 0)
l.settimeout(0.5)
try:
    c, _ = l.accept(); c.settimeout(20); total = 0
    while (got := c.recv(65536)): total += len(got)
    print("all" if total > 100000 else total)
except OSError as error:
    print(type(error).__name__)
`;

test('what a closed socket of the bridge has left to send arrives; of anybody else it does not', (t) => {
  const world = makeWorld(t);
  const send = (uid: number) => world.host(['/usr/bin/python3', '-c', leftover.replaceAll('UID', String(uid))]).trim();
  t.equal(send(uids.bridge), 'all', 'without the table');
  t.equal(send(uids.sandbox), 'all', 'without the table');
  const proxy = { uid: uids.proxy, endpoints: [{ address: '127.0.0.1', port: 3130 }] };
  load(world, { ...sampleModel, proxy });
  t.equal(send(uids.bridge), 'all');
  for (const uid of [uids.sandbox, uids.person, 0]) t.equal(send(uid), 'TimeoutError', `uid ${uid}`);
  t.end();
});
