// Owns what `sandbox ports` and `doctor ports` print and refuse: who may register what, and that each port is one name's.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { createProgram } from '../../lib/cli/program.ts';
import { makeWorld, person, self, type Who } from './firewallWorld.ts';

const ranges = 'ranges: [{first: 29000, last: 29009}] # ours\n';

function makePorts(t: Test, text?: string) {
  const world = makeWorld(t, createProgram);
  const file = join(dirname(world.file), 'ports.yaml');
  if (text !== undefined) writeFileSync(file, text, { mode: 0o600 });
  return { file, run: world.run, read: () => readFileSync(file, 'utf8') };
}

async function listen(t: Test, address: string): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, address, done));
  t.teardown(() => new Promise((done) => server.close(done)));
  const found = server.address();
  return typeof found === 'object' && found !== null ? found.port : 0;
}

test('a name gets the same port each time, and gives it back', async (t) => {
  const { run, read } = makePorts(t, ranges);
  const { out } = await run({}, 'ports', 'allocate', 'work.8000');
  t.match(out, /^290[0-9]{2}\n$/);
  t.equal((await run({}, 'ports', 'allocate', 'work.8000')).out, out);
  t.not((await run({}, 'ports', 'allocate', 'work.9000')).out, out);
  t.match(read(), /^ranges: .* # ours\nassigned:\n {2}- name: work\.8000\n {4}port: 290\d\d\n/);
  const json = JSON.parse((await run({}, 'ports', 'list', '--format', 'json')).out) as { Name: string; Port: number }[];
  t.strictSame(json[0], { ...json[0], Name: 'work.8000', Port: Number(out) });
  t.match((await run({}, 'ports', 'list')).out, /^NAME +ADDRESS +PORT +PROTOCOL +OWNER +KIND +BOUND BY +SET IN\n/);
  await run({}, 'ports', 'release', 'work.8000');
  t.notMatch(read(), /work\.8000/);
  await t.rejects(run({}, 'ports', 'release', 'work.8000'), { code: 'PORT_UNREGISTERED' });
});

test('two that allocate at the same time never get the same port', async (t) => {
  const { run, read } = makePorts(t, ranges);
  const names = Array.from({ length: 10 }, (_, i) => `name-${i}`);
  const ports = await Promise.all(names.map(async (name) => (await run({}, 'ports', 'allocate', name)).out.trim()));
  t.equal(new Set(ports).size, 10);
  for (const [i, name] of names.entries()) t.match(read(), `name: ${name}\n    port: ${ports[i]}\n`);
  await t.rejects(run({}, 'ports', 'allocate', 'one-more'), { code: 'PORTS_FULL' });
});

test('refuses to register, to make the file and to free a service unless a person is there', async (t) => {
  const text = `${ranges}services: [{name: db, port: 5432}]\n`;
  const { run, read } = makePorts(t, text);
  const widening = [
    ['ports', 'allocate', 'web', '--port', '8080'],
    ['ports', 'allocate', 'web', '--port', '8080', '--address', '0.0.0.0'],
    ['ports', 'release', 'db'],
  ];
  const nobody: Who[] = [{}, { terminals: [true, true, false] }, { terminals: [false, true, true] }];
  for (const words of widening) {
    for (const who of nobody)
      await t.rejects(run(who, ...words), { code: 'WIDENING_REFUSED', exit: 2 }, words.join(' '));
    if (self !== 0) await t.rejects(run({}, ...words, '--yes'), { code: 'WIDENING_REFUSED' }, '--yes is for root');
    else await t.rejects(run({ uid: 4321 }, ...words, '--yes'), { code: 'WIDENING_REFUSED' }, '--yes is for root');
    t.equal(read(), text);
  }
  const bare = makePorts(t);
  await t.rejects(bare.run({}, 'ports', 'allocate', 'web'), { code: 'WIDENING_REFUSED' });
  t.throws(bare.read, { code: 'ENOENT' });
  t.match((await bare.run(person, 'ports', 'allocate', 'web')).out, /^20\d\d\d\n$/, 'the control: a person may');
  t.equal((await run(person, 'ports', 'allocate', 'web', '--port', '8080', '--address', '0.0.0.0')).out, '8080\n');
  t.match(read(), 'services: [{name: db, port: 5432}, { name: web, port: 8080, address: "0.0.0.0" }]');
  t.match(await run(person, 'ports', 'release', 'db'), { out: 'db has 127.0.0.1:5432 no longer\n' });
});

test('refuses a port of another, with its owner, also to a person', async (t) => {
  const { run } = makePorts(t, 'services: [{name: db, port: 5432, owner: postgres}]\n');
  const taken = { code: 'PORT_TAKEN', message: /registered for db, owner postgres \(.*ports\.yaml:1:12\)/ };
  await t.rejects(run(person, 'ports', 'allocate', 'web', '--port', '5432'), taken);
  await t.rejects(run(person, 'ports', 'allocate', 'web', '--port', '5432', '--address', '::'), taken);
  await t.rejects(run(person, 'ports', 'allocate', 'db', '--port', '5433'), { code: 'PORT_TAKEN' });
  await t.rejects(run({}, 'ports', 'allocate', 'db'), taken);
});

test('refuses names, ports and addresses that are none', async (t) => {
  const { run } = makePorts(t, ranges);
  const allocate = (...words: string[]) => run(person, 'ports', 'allocate', ...words);
  for (const words of [
    ['80'],
    ['a\u001b[31m'],
    ['A'],
    ['a', '--port', '0'],
    ['a', '--port', '65536'],
    ['a', '--port', '1e3'],
    ['a', '--port', '80', '--address', 'localhost'],
    ['a', '--port', '80', '--owner', 'a b'],
    ['a', '--port', '80', '--protocol', 'sctp'],
  ])
    await t.rejects(allocate(...words), { code: 'VALUE_INVALID' }, words.join(' '));
  await t.rejects(allocate('a', '--address', '::1'), { code: 'USAGE' });
});

test('check says whether the registry is sound and a port is free', async (t) => {
  const { run, file } = makePorts(t, `${ranges}services: [{name: db, port: 5432}]\n`);
  t.strictSame(await run({}, 'ports', 'check'), { out: "1 registered, 0 in another's way\n", err: '', status: 0 });
  t.match(await run({}, 'ports', 'check', '5432'), { status: 1, out: /^5432: registered for db, owner \S+\n$/ });
  const bound = await listen(t, '127.0.0.1');
  t.match(await run({}, 'ports', 'check', `${bound}`), {
    status: 1,
    out: new RegExp(`^${bound}: bound at 127\\.0\\.0\\.1:${bound} by \\S+ \\(pid ${process.pid}\\)\n$`),
  });
  writeFileSync(file, 'services: [{name: a, port: 1}, {name: b, port: 1}]\n');
  await t.rejects(run({}, 'ports', 'check'), { code: 'CONFIG_INVALID', message: /1:32 {2}b: 127\.0\.0\.1:1 is a's/ });
});

test('an assigned port is none that something listens at', async (t) => {
  const bound = await listen(t, '127.0.0.1');
  const { run } = makePorts(t, `ranges: [{first: ${bound}, last: ${bound}}]\n`);
  await t.rejects(run({}, 'ports', 'allocate', 'a'), { code: 'PORTS_FULL' });
});

test('doctor ports names the process of a stranger, of a wider bind and of another owner', async (t) => {
  const [loopback, wide, foreign, stranger] = [
    await listen(t, '127.0.0.1'),
    await listen(t, '0.0.0.0'),
    await listen(t, '127.0.0.1'),
    await listen(t, '127.0.0.1'),
  ];
  const services = `{name: mine, port: ${loopback}}, {name: near, port: ${wide}}, {name: theirs, port: ${foreign}, owner: daemon}`;
  const { run } = makePorts(t, `services: [${services}]\n`);
  const { out, status } = await run({}, 'doctor', 'ports', '--json');
  t.equal(status, 0, 'without --strict it only tells');
  const { ok, findings } = JSON.parse(out) as {
    ok: boolean;
    findings: { state: string; port: number; processes: { pid: number }[] }[];
  };
  t.equal(ok, false);
  for (const [port, state] of [
    [loopback, 'bound'],
    [wide, 'wide'],
    [foreign, 'owner'],
    [stranger, 'stranger'],
  ] as const) {
    const found = findings.find((one) => one.port === port);
    t.match(found, { state, processes: [{ pid: process.pid }] }, `${port} ${state}`);
  }
  const strict = await run({}, 'doctor', 'ports', '--strict');
  t.equal(strict.status, 1);
  t.match(
    strict.out,
    new RegExp(`fail {2}ports\\.wide {2}0\\.0\\.0\\.0:${wide} is near's, registered at 127\\.0\\.0\\.1, where`),
  );
  t.match(strict.out, new RegExp(`\\(pid ${process.pid}\\)`));
});
