// Owns holding a connection: what its first line says, that its bytes stay as they were, and that nothing is left of it.
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type AskAbout, readRequestTarget, type Target } from '../../../lib/service/bridge/hold.ts';
import { ample, echo, makeBridge, numbers, ask as send, startProxy, usual } from './scene.ts';

test('the first line says where a request leads', (t) => {
  const targets: Readonly<Record<string, Target | undefined>> = {
    'CONNECT a.example:443 HTTP/1.1': { host: 'a.example', port: 443 },
    'CONNECT [::1]:443 HTTP/1.1': { host: '[::1]', port: 443 },
    'GET http://a.example/x?y:1 HTTP/1.1': { host: 'a.example', port: 80 },
    'GET HTTP://a.example:8080 HTTP/1.0': { host: 'a.example', port: 8080 },
    'GET http://u@a.example/ HTTP/1.1': { host: 'u@a.example', port: 80 },
    'CONNECT a.example:65536 HTTP/1.1': undefined,
    'CONNECT a.example:0443 HTTP/1.1': undefined,
    'CONNECT a.example HTTP/1.1': undefined,
    'GET /x HTTP/1.1': undefined,
    'GET ftp://a.example/ HTTP/1.1': undefined,
    'connect a.example:443 HTTP/1.1': undefined,
    'CONNECT a.example:443 HTTP/2': undefined,
    'CONNECT  a.example:443 HTTP/1.1': undefined,
    'GET http://a.example/\u00a0 HTTP/1.1': undefined,
    'GET http://a.example/\nX: HTTP/1.1': undefined,
    ' GET http://a.example/ HTTP/1.1': undefined,
    'CONNECT :443 HTTP/1.1': undefined,
    '': undefined,
  };
  for (const [line, target] of Object.entries(targets)) t.same(readRequestTarget(line), target, line);
  t.end();
});

async function holding(t: Test, ask: AskAbout) {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  const upstream = { address: '127.0.0.1', port: proxy.port, numbers } as const;
  bridge.switchTo(upstream);
  const { folder } = await bridge.addRun({ run: 'r1', tool: undefined, profile: 'p', limits: ample, ask, ...usual });
  return { bridge, proxy, upstream, path: join(folder, 'proxy.sock') };
}

function open(t: Test, path: string): Socket {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

const closed = (socket: Socket) => new Promise((done) => socket.resume().once('end', done).once('close', done));
const request = 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n\0\xff binary';

test('a held connection goes on with every byte, to the proxy of that moment', async (t) => {
  const asked: Target[] = [];
  const held = new AbortController();
  const { bridge, proxy, path } = await holding(t, (target) => {
    asked.push(target);
    return new Promise((done) => held.signal.addEventListener('abort', done));
  });
  const other = await startProxy(t, echo);
  const client = open(t, path);
  const answer = new Promise((done) => {
    const chunks: Buffer[] = [];
    client
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .once('end', () => done(Buffer.concat(chunks).toString('latin1')));
  });
  client.write(request, 'latin1');
  for (let i = 0; i < 3000 && asked.length === 0; i++) await new Promise((done) => setTimeout(done, 10));
  t.same(asked, [{ host: 'a.example', port: 443 }]);
  t.equal(proxy.seen.length, 0);
  bridge.switchTo({ address: '127.0.0.1', port: other.port, numbers });
  held.abort();
  client.end('more');
  t.equal(await answer, `${request}more`);
  t.equal(proxy.seen.length, 0);
  t.equal(other.seen.length, 1);
  t.match(bridge.removeRun('r1'), { connections: 1 });
});

test('what is no request, or too long for one, goes to the proxy unasked', async (t) => {
  const { path } = await holding(t, async () => t.fail('asked'));
  for (const sent of ['x\r\n', `GET http://a.example/${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`, '\u0016\u0003\u0001\r\n'])
    t.equal(await send(path, Buffer.from(sent, 'latin1')), sent);
});

test('a guest that hangs up, or a run that ends, ends the waiting', async (t) => {
  const signals: AbortSignal[] = [];
  const { bridge, path } = await holding(t, (_, signal) => {
    signals.push(signal);
    return new Promise((done) => signal.addEventListener('abort', done));
  });
  const until = async (count: number) => {
    for (let i = 0; i < 3000 && signals.length < count; i++) await new Promise((done) => setTimeout(done, 10));
  };
  const [first, second, silent] = [open(t, path), open(t, path), open(t, path)];
  first.write(request);
  second.write(request);
  silent.write('CONN');
  await until(2);
  const left = new Promise((done) => signals[0]?.addEventListener('abort', done));
  first.destroy();
  await left;
  const ends = [closed(second), closed(silent)];
  t.match(bridge.removeRun('r1'), { connections: 3 });
  await Promise.all(ends);
  t.equal(signals[1]?.aborted, true);
});

test('held connections count as open ones', async (t) => {
  const bridge = makeBridge(t);
  const proxy = await startProxy(t, echo);
  bridge.switchTo({ address: '127.0.0.1', port: proxy.port, numbers });
  let count = 0;
  const ask: AskAbout = (_, signal) => {
    count++;
    return new Promise((done) => signal.addEventListener('abort', done));
  };
  const run = { run: 'r1', tool: undefined, profile: 'p', limits: { ...ample, atOnce: 2 }, ask, ...usual };
  const path = join((await bridge.addRun(run)).folder, 'proxy.sock');
  for (const socket of [open(t, path), open(t, path)]) socket.write(request);
  for (let i = 0; i < 3000 && count < 2; i++) await new Promise((done) => setTimeout(done, 10));
  t.match(await send(path, request), /^HTTP\/1\.1 429 /);
  t.equal(proxy.seen.length, 0, 'the proxy has not heard of them');
});
