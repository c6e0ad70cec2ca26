// Tests the bridge between clients of ours and a proxy of ours: whose name a connection goes by, both ends, and its bounds.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { readNarrowing } from '../../../lib/policy/narrowing.ts';
import type { Target } from '../../../lib/service/bridge/hold.ts';
import { addRun, ample, ask, closed, echo, hold, makeBridge, numbers, startProxy, usual } from './scene.ts';

const address = '127.0.0.1' as const;
const refused = (status: number) => new RegExp(`^HTTP/1\\.1 ${status} `);

test('a connection goes to the proxy under the name of its run, whatever the guest sends', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const path = await addRun(bridge, 'run-1');
  const forged = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x50\0\x50';
  t.equal(await ask(path, Buffer.from(forged, 'latin1')), forged, "a second header is the guest's data");
  const [{ header } = { header: undefined }] = proxy.seen;
  t.match(header?.source, /^fd65:6772:6573:2:1f:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/);
  t.equal(header?.target, '0:0:0:0:0:ffff:7f00:1');
  t.equal(header?.targetPort, proxy.port);
  t.same(
    header?.entries,
    new Map([
      [224, 'tool=web.search@v1;profile=python-tools'],
      [225, 'run-1'],
      [226, 'q0'],
    ]),
  );
  const other = await bridge.addRun({ run: 'run-2', tool: undefined, profile: 'mine', limits: ample, ...usual });
  await ask(`${other.folder}/proxy.sock`, 'GET http://a.example:8080/ HTTP/1.1\r\n\r\n');
  t.match(proxy.seen[1]?.header.source, /^fd65:6772:6573:0:0:/, 'what the policy does not name is 0');
  t.same(
    proxy.seen[1]?.header.entries,
    new Map([
      [224, 'tool=;profile=mine'],
      [225, 'run-2'],
      [226, 'q8080'],
    ]),
  );
});

test('the folder of a run holds its socket and nothing else, and goes with the run', async (t) => {
  const bridge = makeBridge(t);
  const path = await addRun(bridge, 'run-1');
  t.same(readdirSync(dirname(path)), ['proxy.sock']);
  t.equal(statSync(path).mode & 0o777, 0o666);
  t.equal(statSync(dirname(path)).mode & 0o777, 0o755);
  await t.rejects(addRun(bridge, 'run-1'), { code: 'ID_IN_USE' });
  t.ok(existsSync(path), 'which took nothing from the first');
  t.ok(bridge.removeRun('run-1'));
  t.notOk(existsSync(dirname(path)));
  t.equal(bridge.removeRun('run-1'), undefined);
});

test('both ends are passed on by themselves, and large answers whole', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const path = await addRun(bridge, 'run-1');
  const large = Buffer.alloc(20 << 20, 'abcdefgh');
  t.ok((await ask(path, large)) === large.toString('latin1'));
  const used = bridge.removeRun('run-1');
  t.match(used, { connections: 1, bytesOut: large.length, bytesIn: large.length, refused: 0 });
});

test('a sender waits for a reader that does not read', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, () => undefined);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const client = await hold(t, await addRun(bridge, 'run-1'));
  const piece = Buffer.alloc(1 << 20);
  for (let sent = 0; sent < 64; sent++) client.write(piece);
  // Settled when two looks agree: what the kernel and two sockets hold, of sixty-four megabytes.
  let before = -1;
  for (let look = 0; look < 100 && before !== client.bytesWritten - client.writableLength; look++) {
    before = client.bytesWritten - client.writableLength;
    await new Promise((done) => setTimeout(done, 100));
  }
  const used = bridge.removeRun('run-1');
  t.ok((used?.bytesOut ?? 0) < 16 << 20, `${used?.bytesOut} bytes were taken`);
});

test('without a proxy, and with one that is dead, nothing goes anywhere', async (t) => {
  const bridge = makeBridge(t);
  const path = await addRun(bridge, 'run-1');
  t.match(await ask(path, 'GET http://a.example/ HTTP/1.1\r\n\r\n'), refused(503));
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });
  t.equal(await ask(path, 'control'), 'control');
  bridge.switchTo({ address, port: 1, numbers });
  t.equal(await ask(path, 'x'), '');
  bridge.switchTo(undefined);
  t.match(await ask(path, 'x'), refused(503));
  t.match(bridge.removeRun('run-1'), { refused: 2 });
});

test('a switch is for new connections; a reset ends those of the runs that it concerns, and of no other', async (t) => {
  const bridge = makeBridge(t);
  const [first, second] = [await startProxy(t, () => undefined), await startProxy(t, echo)];
  bridge.switchTo({ address, port: first.port, numbers });
  const [one, two] = [await addRun(bridge, 'run-1'), await addRun(bridge, 'run-2')];
  const [held, kept] = [await hold(t, one), await hold(t, two)];
  for (let look = 0; look < 1500 && first.seen.length < 2; look++) await new Promise((done) => setTimeout(done, 20));
  bridge.switchTo({ address, port: second.port, numbers });
  t.equal(await ask(one, 'new'), 'new');
  t.equal(first.seen.length, 2);
  t.notOk(held.closed);
  bridge.resetRuns(({ run }) => run === 'run-1');
  t.ok(await closed(held));
  t.notOk(kept.closed);
  kept.write('still there');
  const there = first.seen.find(({ header }) => header.entries.get(225) === 'run-2');
  let said = '';
  await new Promise<void>((done) => {
    const hear = (chunk: Buffer) => {
      said += chunk;
      if (said.endsWith('still there')) done();
    };
    there?.socket.on('data', hear).resume();
  });
  t.equal(said, 'held\r\nstill there');
});

test('refuses beyond each bound of a run', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });

  const few = await addRun(bridge, 'at-once', { ...ample, atOnce: 2 });
  const held = [await hold(t, few), await hold(t, few)];
  t.match(await ask(few, 'x'), refused(429));
  held[0]?.end();
  await closed(held[0] ?? (await hold(t, few)));
  t.equal(await ask(few, 'x'), 'x', 'one that has ended makes room');

  const three = await addRun(bridge, 'per-run', { ...ample, perRun: { ...ample.perRun, connections: 3 } });
  for (let i = 0; i < 3; i++) t.equal(await ask(three, 'x'), 'x');
  t.match(await ask(three, 'x'), refused(429));

  const minute = await addRun(bridge, 'per-minute', { ...ample, perMinute: { ...ample.perMinute, connections: 3 } });
  for (let i = 0; i < 3; i++) t.equal(await ask(minute, 'x'), 'x');
  t.match(await ask(minute, 'x'), refused(429));

  const requests = await addRun(bridge, 'requests', { ...ample, perRun: { ...ample.perRun, requests: 5 } });
  const seen = proxy.seen.length;
  const live = await hold(t, requests);
  for (let look = 0; look < 1500 && proxy.seen.length === seen; look++)
    await new Promise((done) => setTimeout(done, 20));
  bridge.countRequests('requests', 5);
  t.notOk(live.closed);
  bridge.countRequests('requests', 1);
  t.ok(await closed(live));
  t.match(await ask(requests, 'x'), refused(429));
});

test('refuses a run beyond those that one caller may have, and takes it when another has ended', async (t) => {
  const bridge = makeBridge(t, { mostRuns: 2 });
  await addRun(bridge, 'first');
  await addRun(bridge, 'second');
  await t.rejects(addRun(bridge, 'third'), { code: 'PROXY_FAILED' });
  bridge.removeRun('first');
  t.ok(await addRun(bridge, 'third'), 'control');
});

test('a fault while a connection is judged ends that connection alone', async (t) => {
  const proxy = await startProxy(t, echo);
  const bridge = makeBridge(t);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const name = (target: Target | undefined) => {
    if (target?.host === 'bad') throw new Error('a fault');
    return 'q1';
  };
  const run = { run: 'judged', tool: undefined, profile: 'python-tools', limits: ample, ...usual, nameRequest: name };
  const { folder } = await bridge.addRun(run);
  const path = join(folder, 'proxy.sock');
  t.equal(await ask(path, 'CONNECT bad:443 HTTP/1.1\r\n\r\n'), '');
  t.equal(await ask(path, 'CONNECT a:443 HTTP/1.1\r\n\r\n'), 'CONNECT a:443 HTTP/1.1\r\n\r\n', 'control: others go on');
});

test('counts on from what an earlier bridge counted of a run', async (t) => {
  const proxy = await startProxy(t, echo);
  const bridge = makeBridge(t);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const before = { connections: 9_999, requests: 0, bytesOut: 5, bytesIn: 7 };
  const run = { run: 'again', tool: undefined, profile: 'python-tools', limits: ample, ...usual, before };
  const { folder } = await bridge.addRun(run);
  const path = join(folder, 'proxy.sock');
  t.equal(await ask(path, 'CONNECT a:443 HTTP/1.1\r\n\r\n'), 'CONNECT a:443 HTTP/1.1\r\n\r\n', 'control: one is left');
  t.match(await ask(path, 'CONNECT a:443 HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 429 /);
  t.match(bridge.usedBy('again'), { connections: 10_000, bytesOut: 31, bytesIn: 33 });
});

test('cuts all connections of a run whose bytes are used up, and takes no other', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const path = await addRun(bridge, 'run-1', { ...ample, perRun: { ...ample.perRun, bytes: 1 << 20 } });
  const other = await hold(t, path);
  for (let look = 0; look < 1500 && proxy.seen.length === 0; look++) await new Promise((done) => setTimeout(done, 20));
  t.not(await ask(path, Buffer.alloc(2 << 20)), '\0'.repeat(2 << 20));
  t.ok(await closed(other));
  t.match(await ask(path, 'x'), refused(429));
  const used = bridge.removeRun('run-1');
  t.ok((used?.bytesOut ?? 0) <= (1 << 20) + 65_536, 'no more than one read beyond');
});

test('refuses a run whose profile lists hosts everything else, unasked, and what cannot be read', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address, port: proxy.port, numbers });
  const read = readNarrowing(['one.example', '*.two.example:8443']);
  const outside: unknown[] = [];
  const run = {
    ...usual,
    ...{ run: 'run-1', tool: undefined, profile: 'mine', limits: ample },
    within: 'narrowing' in read ? read.narrowing : [],
    onOutside: (target: Target | undefined, request: string) => outside.push([target?.host, request]),
    ask: async () => t.fail('nobody is asked'),
  };
  const path = join((await bridge.addRun({ ...run, ask: undefined })).folder, 'proxy.sock');
  const asking = join((await bridge.addRun({ ...run, run: 'run-2' })).folder, 'proxy.sock');
  const inside = [
    'CONNECT one.example:443',
    'CONNECT ONE.example.:443',
    'GET http://one.example/x',
    'CONNECT a.two.example:8443',
  ];
  for (const line of inside) {
    const sent = `${line} HTTP/1.1\r\n\r\n`;
    t.equal(await ask(path, sent), sent, `control: ${line}`);
  }
  const before = proxy.seen.length;
  const others = [
    ...['CONNECT two.example:443', 'CONNECT one.example:22', 'CONNECT two.example:8443', 'CONNECT a.one.example:443'],
    ...['GET http://two.example/ ', 'GET http://one.example@two.example/', 'GET http://two.example\\@one.example/'],
    ...['GET http://one.example:80:81/', 'GET http://one%2eexample/', 'GET /x', 'GET ftp://one.example/', 'OPTIONS *'],
    ...['CONNECT [::1]:443', 'CONNECT http://one.example:443', ' GET http://one.example/', 'GET  http://one.example/'],
    ...[
      'GET\thttp://one.example/',
      'GET http://one.example/ x',
      '\r\nGET http://one.example/',
      'GET http://one.example/\n',
    ],
    ...['GET http://\u00f6ne.example/', 'GET http://one.example\u0000.two.example/', 'get http://one.example/'],
  ];
  for (const line of others)
    for (const to of [path, asking]) {
      const said = await ask(
        to,
        Buffer.from(`${line} HTTP/1.1\r\n\r\nGET http://one.example/ HTTP/1.1\r\n\r\n`, 'latin1'),
      );
      t.match(
        said,
        /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\nX-Cofferdam-Request: (q[0-9]+)\r\n\r\nrequest \1: refused on its way out\n$/,
        JSON.stringify(line),
      );
    }
  t.equal(proxy.seen.length, before, 'the proxy has not heard of any');
  t.equal(outside.length, 2 * others.length);
  t.same(outside[0], ['two.example', 'q443']);
  t.match(bridge.removeRun('run-1'), { refused: 0 });
});
