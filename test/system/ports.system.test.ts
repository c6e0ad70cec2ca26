// Owns published ports: a server without a network answers at its port of the host, there alone, and until its end alone.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { Test } from 'tap';
import { ask, findSupervisors, makePorts, type PortScene, serves, untilServes } from './portScene.ts';
import { newId, type Scene, testAsBoth, until } from './scene.ts';

const server =
  'cat /proc/net/dev; tail -n +2 /proc/net/route; echo end; cd /tmp; exec python3 -m http.server 8000 --bind 127.0.0.1';

/** `socket` of `socket:[12]`; nothing of what was closed meanwhile. */
function kindOf(link: string): string {
  try {
    return readlinkSync(link).replace(/:.*/, '');
  } catch {
    return '';
  }
}

/** Starts the server as the run `id`; it goes with the test. */
function startServer(t: Test, ports: PortScene, id: string, flags: readonly string[] = ['--publish', '8000']) {
  const words = ['run', '--id', id, '-p', 'python-tools', '--timeout', '20m', ...flags, '--', 'sh', '-c', server];
  const started = ports.start(words);
  t.teardown(async () => {
    started.child.kill('SIGTERM');
    await started.ended;
  });
  return started;
}

testAsBoth('a sandbox without a network is reached at its port, and nowhere else', async (t, scene) => {
  const ports = makePorts(scene, 'reached');
  const id = newId();
  const started = startServer(t, ports, id);
  await until(() => ports.text().includes('assigned:'));
  const port = ports.portOf('python-tools.8000');
  t.ok(await untilServes(port, true), 'it serves');
  t.equal(ports.text().split('\n')[0], 'ranges: # ours', 'comments stay');
  t.match(started.err().toString(), new RegExp(`^sandbox: python-tools\\.8000: 127\\.0\\.0\\.1:${port} leads to 8000`));
  const elsewhere = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  for (const address of ['127.0.0.2', '::1', ...elsewhere.filter((one) => one !== '127.0.0.1')])
    t.notOk(await serves(port, address), `not at ${address}`);
  t.notOk(await serves(8000), 'the port inside is none of the host');
  const [seen = ''] = started.out().toString().split('end\n');
  const lines = seen.split('\n').slice(2, -1);
  t.match(lines, [/^ *lo:/], 'the guest has lo and no route');
  t.equal(lines.length, 1);

  const { forwarder } = findSupervisors(id);
  const status = readFileSync(`/proc/${forwarder}/status`, 'utf8');
  for (const line of ['CapPrm:\t0000000000000000', 'CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
    t.ok(status.includes(`\n${line}\n`), line);
  t.not(readlinkSync(`/proc/${forwarder}/ns/net`), readlinkSync('/proc/self/ns/net'), 'it is in the sandbox’s network');
  const kinds = () => readdirSync(`/proc/${forwarder}/fd`).map((fd) => kindOf(`/proc/${forwarder}/fd/${fd}`));
  // Connections of the questions above may be closing still.
  await until(() => kinds().length === 4);
  t.strictSame(
    kinds(),
    ['/dev/null', '/dev/null', '/dev/null', 'socket'],
    'it holds its listener, and nothing of ours',
  );

  started.child.kill('SIGTERM');
  await started.ended;
  t.notOk(await serves(port), 'not after the end');
  t.strictSame(scene.traces(id), []);
});

const echo = `
import socket, threading
def serve(c):
    while (b := c.recv(65536)): c.sendall(b)
    c.shutdown(socket.SHUT_WR)
    c.close()
s = socket.create_server(('127.0.0.1', 9000), backlog=128)
print('ready', flush=True)
while True: threading.Thread(target=serve, args=(s.accept()[0],)).start()
`;

testAsBoth('bytes pass unchanged both ways, of more connections than are passed at a time', async (t, scene) => {
  const ports = makePorts(scene, 'bytes');
  const flags = ['--id', newId(), '-p', 'python-tools', '--timeout', '20m', '--publish', '9000'];
  const started = ports.start(['run', ...flags, '--', 'python3', '-c', echo]);
  t.ok(await until(() => started.out().includes('ready')), started.err().toString());
  const port = ports.portOf('python-tools.9000');
  const large = Buffer.alloc(3 << 20, 'a line of what is sent\n');
  t.ok((await ask(port, large))?.equals(large), 'three megabytes come back');
  const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => ask(port, `call ${i}`)));
  t.strictSame(
    answers.map((answer) => answer?.toString()),
    answers.map((_, i) => `call ${i}`),
  );
  started.child.kill('SIGTERM');
  await started.ended;
});

testAsBoth('two runs of one name have one port, one after the other; other names have others', async (t, scene) => {
  const ports = makePorts(scene, 'same');
  const id = newId();
  const started = startServer(t, ports, id, ['--publish', 'web:8000']);
  await until(() => ports.text().includes('name: web'));
  const port = ports.portOf('web');
  t.ok(await untilServes(port, true));
  const second = await ports.start(['run', '-p', 'base-tools', '--publish', 'web:8000', '--', 'true']).ended;
  t.equal(second.status, 125);
  t.match(second.stderr, new RegExp(`^sandbox: web: supervise \\(pid [0-9]+\\) listens at 127.0.0.1:${port} already`));
  const other = await ports.start(['run', '-p', 'base-tools', '--publish', 'other:8000', '--', 'true']).ended;
  t.equal(other.status, 0, other.stderr);
  t.not(ports.portOf('other'), port);
  started.child.kill('SIGTERM');
  await started.ended;
  const again = await ports.start(['run', '-p', 'base-tools', '--json', '--publish', 'web:8000', '--', 'true']).ended;
  t.match(JSON.parse(again.stdout), {
    status: 'completed',
    ports: [{ name: 'web', address: '127.0.0.1', port, container: 8000 }],
  });
});

testAsBoth('refuses what is not registered for the name, and says whose it is; no program runs', async (t, scene) => {
  const ports = makePorts(scene, 'refused', 'services: [{name: theirs, port: 19999, owner: bob}]\n');
  const run = (...flags: string[]) => ports.start(['run', '-p', 'base-tools', ...flags, '--', 'echo', 'ran']).ended;
  const cases = [
    [['--publish', '19999:8000'], /cannot have 127\.0\.0\.1:19999: it is registered for theirs, owner bob/],
    [['--publish', 'theirs:8000'], /it is registered for theirs, owner bob/],
    [['--publish', '19998:8000'], /port 19998 of the host is not registered for base-tools\.8000/],
    [['--publish', '8000', '--isolation', 'gvisor'], /runsc cannot enforce ports: /],
  ] as const;
  for (const [flags, text] of cases) {
    const { status, stdout, stderr } = await run(...flags);
    t.strictSame([status, stdout], [125, ''], stderr);
    t.match(stderr, text);
  }
  const bare = await scene.sandbox(['run', '-p', 'base-tools', '--publish', '8000', '--', 'echo', 'ran']);
  t.match(bare, { status: 125, stdout: '', stderr: /^sandbox: there is no registry of ports/ });
  t.match(await run(), { status: 0, stdout: 'ran\n' }, 'the control: without a port it runs');
});

/** Which process of a run is killed, and whether the program lives on. */
const victims = {
  'the command line': (started: { pid: number }, _id: string) => started.pid,
  'the supervisor': (_: unknown, id: string) => findSupervisors(id).supervisor,
  'the forwarder': (_: unknown, id: string) => findSupervisors(id).forwarder,
} as const;

for (const [victim, pidOf] of Object.entries(victims)) {
  testAsBoth(`SIGKILL of ${victim} frees the port`, async (t, scene) => {
    const ports = makePorts(scene, `killed-${victim.replaceAll(' ', '-')}`);
    const id = newId();
    const started = startServer(t, ports, id);
    await until(() => ports.text().includes('assigned:'));
    const port = ports.portOf('python-tools.8000');
    t.ok(await untilServes(port, true));
    process.kill(pidOf(started, id), 'SIGKILL');
    t.ok(await untilServes(port, false), 'nobody answers');
    const again = await ports.start(['ports', 'check', String(port)]).ended;
    t.equal(
      again.stdout,
      `${port}: registered for python-tools.8000, owner ${accountOf(scene)}\n`,
      'nobody has bound it',
    );
  });
}

function accountOf({ uid }: Scene): string {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? '';
}

testAsBoth('a sandbox that lives on has its port at each start, and gives it back at each end', async (t, scene) => {
  const ports = makePorts(scene, 'life');
  const name = newId();
  const sandbox = async (...words: string[]) => {
    const ended = await ports.start(words).ended;
    t.equal(ended.status, 0, `${words[0]}: ${ended.stderr}`);
    return ended.stdout;
  };
  t.teardown(() => ports.start(['rm', '-f', name]).ended);
  const words = ['-p', 'python-tools', '--name', name, '--publish', '8000', '--start', '--', 'sh', '-c', server];
  await sandbox('create', ...words);
  const port = ports.portOf(`${name}.8000`);
  t.ok(await untilServes(port, true));
  t.equal(await sandbox('inspect', '-f', '{{.Ports}}', name), `127.0.0.1:${port}->8000\n`);
  await sandbox('stop', name);
  t.notOk(await serves(port), 'not while it is stopped');
  const first = (JSON.parse(await sandbox('inspect', name)) as { run: string }[])[0]?.run ?? '';
  const led = `127.0.0.1:${port} led to 8000 inside (${name}.8000)`;
  t.match(await sandbox('receipt', 'show', first), led, 'its receipt names it');
  await sandbox('start', name);
  t.ok(await untilServes(port, true), 'the same port again');
  const found = JSON.parse(await sandbox('inspect', name)) as { run: string }[];
  process.kill(findSupervisors(found[0]?.run ?? '').supervisor, 'SIGKILL');
  t.ok(await untilServes(port, false), 'freed when its supervisor is killed');
  await sandbox('gc');
  t.match(await sandbox('receipt', 'show', found[0]?.run ?? ''), led, 'also that of a run that was lost');
  await sandbox('rm', '-f', name);
  t.notOk(ports.text().includes(name), 'a sandbox that is removed gives its port back');
});

testAsBoth('killed in the middle or not, allocations leave a sound registry and no port twice', async (t, scene) => {
  const ports = makePorts(scene, 'at-once');
  const names = Array.from({ length: 6 }, (_, i) => `name-${i}`);
  const all = names.map((name) => ports.start(['ports', 'allocate', name]));
  // The first that has written tells that the others are about to.
  await until(() => ports.text().includes('assigned:'));
  for (const [i, { child }] of all.entries()) if (i % 2 === 0) child.kill('SIGKILL');
  await Promise.all(all.map(({ ended }) => ended));
  const given = await Promise.all(
    names.map(async (name) => (await ports.start(['ports', 'allocate', name]).ended).stdout),
  );
  t.equal(new Set(given).size, 6, given.join());
  t.strictSame(
    names.map((name) => `${ports.portOf(name)}\n`),
    given,
    'each is the one in the file',
  );
  t.equal((await ports.start(['ports', 'check']).ended).stdout, "6 registered, 0 in another's way\n");
  t.equal(readdirSync(dirname(ports.file)).length, 1, 'nothing half written is left');
});

testAsBoth('verify finds nothing wrong with a sandbox that has a published port', async (t, scene) => {
  const ports = makePorts(scene, 'verified');
  const profile = scene.write('verified.yaml', 'ports: [{container: 8000, name: verified}]\n');
  const { status, stdout, stderr } = await ports.start(['verify', '--json', '--profile', profile]).ended;
  t.equal(status, 0, stderr);
  t.equal((JSON.parse(stdout) as { ok: boolean }).ok, true);
  t.match(ports.text(), 'name: verified');
});

testAsBoth('the receipt says which ports were published, and where', async (t, scene) => {
  const ports = makePorts(scene, 'receipt');
  const told = async (...flags: string[]) => {
    const { status, stdout, stderr } = await ports.start(['run', '-p', 'base-tools', '--json', ...flags, '--', 'true'])
      .ended;
    t.equal(status, 0, stderr);
    const { id, receipt } = JSON.parse(stdout) as { id: string; receipt: { file: string } };
    const { payload } = JSON.parse(readFileSync(receipt.file, 'utf8')) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: { ports: unknown } };
    const shown = await ports.start(['receipt', 'show', id]).ended;
    return { ports: predicate.ports, shown: shown.stdout };
  };
  const published = await told('--publish', '8000', '--publish', 'admin:9000');
  const [first, second] = [ports.portOf('base-tools.8000'), ports.portOf('admin')];
  t.strictSame(published.ports, [
    { name: 'base-tools.8000', address: '127.0.0.1', port: first, container: 8000 },
    { name: 'admin', address: '127.0.0.1', port: second, container: 9000 },
  ]);
  t.match(published.shown, `127.0.0.1:${first} led to 8000 inside (base-tools.8000)`);
  t.match(published.shown, `127.0.0.1:${second} led to 9000 inside (admin)`);
  const without = await told();
  t.strictSame(without.ports, [], 'control: of a run without any');
  t.match(without.shown, /^ports +none$/m);
});
