// Tests init's forwarder by itself, outside of a sandbox: a port of the loopback that leads to a unix socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';

const native = join(import.meta.dirname, '../../lib/run/native');

async function listen(server: Server, where: { path: string } | { port: number; host: string }): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(where, () => done());
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await listen(server, { port: 0, host: '127.0.0.1' });
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A unix socket whose connections `serve` gets, until the end of the test. */
async function serveAt(t: Test, serve: (socket: Socket) => void): Promise<string> {
  // Below the test's own folder the name would be longer than a socket's may be.
  const folder = mkdtempSync(join(tmpdir(), 'cft-forward-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'way.sock');
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
    serve(socket);
  });
  await listen(server, { path });
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return path;
}

async function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => child.on('exit', (status) => done(status)));
}

/** What comes back for `sent`, after whose end ours is sent too. */
async function ask(port: number, sent: Uint8Array): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('data', (chunk) => chunks.push(chunk)).end(sent);
  await new Promise<void>((done, fail) => {
    socket.once('error', fail);
    socket.once('close', () => done());
  });
  return Buffer.concat(chunks);
}

/** Answers once the request's end has come. */
const echo = (socket: Socket) => {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('end', () => socket.end(Buffer.concat(chunks)));
};

test('the forwarder of init', async (t) => {
  const folder = t.testdir();
  runToolSync('/usr/bin/make', ['-C', native, `OUT=${folder}`, `${folder}/init`], { timeoutMs: 120_000 });
  const init = join(folder, 'init');
  const start = (u: Test, forwards: readonly string[], ...words: readonly string[]) => {
    const options = forwards.flatMap((forward) => ['-f', forward]);
    const child = spawn(init, ['-p', 'SIGKILL', '-g', ...options, '--', ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
    u.teardown(() => child.kill('SIGKILL'));
    return child;
  };
  const started = async (child: ChildProcess) => new Promise((done) => child.stdout?.once('data', done));

  await t.test('listens before the program begins, and passes both ends on one by one', async (u) => {
    const port = await freePort();
    const child = start(u, [`${port}=${await serveAt(u, echo)}`], 'sh', '-c', 'echo up; cat');
    await started(child);
    const large = Buffer.alloc(8 << 20, 'x');
    u.ok((await ask(port, large)).equals(large), 'eight megabytes and back');
    const many = await Promise.all(Array.from({ length: 400 }, (_, i) => ask(port, Buffer.from(`n${i}`))));
    u.same(
      many.map(String),
      many.map((_, i) => `n${i}`),
    );
    child.stdin?.end();
    u.equal(await endOf(child), 0);
  });

  await t.test('the program can connect as the first thing it does, and its status is that of init', async (u) => {
    const port = await freePort();
    const script = `import socket,sys; s=socket.create_connection(('127.0.0.1',${port})); s.sendall(b'hi'); s.shutdown(1); sys.exit(s.recv(9)==b'hi' and 7)`;
    const child = start(u, [`${port}=${await serveAt(u, echo)}`], '/usr/bin/python3', '-c', script);
    u.equal(await endOf(child), 7);
  });

  await t.test('keeps no more than a bounded rest when nobody reads', async (u) => {
    const port = await freePort();
    const path = await serveAt(u, (socket) => socket.pause());
    const child = start(u, [`${port}=${path}`], 'sh', '-c', 'echo up; cat');
    await started(child);
    const socket = connect({ port, host: '127.0.0.1' });
    u.teardown(() => socket.destroy());
    let stalled = false;
    for (let sent = 0; sent < 64 << 20 && !stalled; sent += 65_536) {
      const full = !socket.write(Buffer.alloc(65_536));
      stalled =
        full && (await Promise.race([drained(socket), new Promise((done) => setTimeout(done, 500, false))])) === false;
    }
    u.ok(stalled, 'the sender waits');
    const [forwarder = ''] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .slice(1);
    const pages = Number(readFileSync(`/proc/${forwarder}/statm`, 'utf8').split(' ')[1]);
    u.ok(pages * 4096 < 4 << 20, `${pages} pages`);
    child.stdin?.end();
  });

  await t.test(
    'nobody behind the socket: the connection is reset; the forwarder killed: refused; the program lives',
    async (u) => {
      const port = await freePort();
      const child = start(u, [`${port}=/nonexistent/none.sock`], 'sh', '-c', 'echo up; cat; exit 5');
      await started(child);
      await u.rejects(ask(port, Buffer.from('x')), { code: 'ECONNRESET' });
      const [, forwarder] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
      process.kill(Number(forwarder), 'SIGTERM');
      await u.rejects(ask(port, Buffer.from('x')), { code: 'ECONNRESET' }, 'TERM is blocked for it');
      process.kill(Number(forwarder), 'SIGKILL');
      let code = '';
      for (let look = 0; look < 5000 && code !== 'ECONNREFUSED'; look++)
        await ask(port, Buffer.from('x')).catch((error: NodeJS.ErrnoException) => {
          code = error.code ?? '';
        });
      u.equal(code, 'ECONNREFUSED');
      child.stdin?.end();
      u.equal(await endOf(child), 5);
    },
  );

  await t.test('the program has no descriptor of it', async (u) => {
    const listing = async (forwards: readonly string[]) => {
      const child = start(u, forwards, 'sh', '-c', 'ls /proc/self/fd | tr "\\n" " "; cat');
      const said = String(await started(child));
      child.stdin?.end();
      u.equal(await endOf(child), 0);
      return said;
    };
    u.equal(await listing([`${await freePort()}=${await serveAt(u, echo)}`]), await listing([]));
  });

  await t.test('refuses what is no PORT=PATH, a port in use, and more forwards than eight', async (u) => {
    const path = await serveAt(u, echo);
    const taken = createServer();
    await listen(taken, { port: 0, host: '127.0.0.1' });
    u.teardown(() => taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const long = `/${'x'.repeat(120)}`;
    for (const word of [
      '',
      '=/x',
      '80',
      '080=/x',
      '0=/x',
      '65536=/x',
      '99999999999=/x',
      '80=x',
      '8a=/x',
      ` 80=${path}`,
      `81=${long}`,
      `${port}=${path}`,
    ])
      u.equal(await endOf(start(u, [word], 'true')), 125, word);
    const free = await Promise.all(Array.from({ length: 9 }, freePort));
    const all = free.map((one) => `${one}=${path}`);
    u.equal(await endOf(start(u, all, 'true')), 125);
    u.equal(await endOf(start(u, all.slice(1), 'true')), 0, 'eight are not too many');
  });
});

async function drained(socket: Socket): Promise<boolean> {
  return new Promise((done) => socket.once('drain', () => done(true)));
}
