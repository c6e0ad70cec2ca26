// Owns the proof that a listener is told by whose it is, that Squid is found where it lies, and that its log is read whole and bounded.
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { AccessEntry } from '../../lib/service/squid/accessLog.ts';
import { findSquid } from '../../lib/service/squid/binary.ts';
import { countConnections, findFreePort, isListening, openSockets } from '../../lib/service/squid/listener.ts';
import { openLogPipe } from '../../lib/service/squid/logPipe.ts';

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-squid-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a port is a process’s only when that process listens on it', async (t) => {
  const port = await findFreePort();
  t.equal(isListening(process.pid, port), false, 'nobody does');
  const server = createServer((socket) => void socket.resume()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.equal(isListening(process.pid, port), true);
  t.equal(isListening(process.ppid, port), false, 'another one does');
  t.equal(isListening(2 ** 22 + 1, port), false, 'there is no such process');
  t.equal(openSockets(2 ** 22 + 1).size, 0);
  t.equal(countConnections(process.pid, port), 0);
  const idle = openSockets(process.pid);
  const client = connect(port, '127.0.0.1');
  const [accepted] = await once(server, 'connection');
  t.equal(countConnections(process.pid, port), 1);
  const beside = [...openSockets(process.pid)].filter((inode) => !idle.has(inode));
  t.equal(beside.length, 2, 'both ends are sockets of this process');
  client.destroy();
  accepted.destroy();
  server.close();
  await once(server, 'close');
});

test('refuses to run another Squid than the one that can do what is asked', (t) => {
  const folder = folderOf(t);
  t.throws(() => findSquid('strict', folder), { code: 'PROXY_MISSING', remedy: 'as root: sandbox setup' });
  const program = join(folder, 'usr/sbin/squid');
  mkdirSync(join(folder, 'usr/sbin'), { recursive: true });
  writeFileSync(program, '');
  t.throws(() => findSquid('strict', folder), { code: 'PROXY_MISSING' }, 'a file that nobody may execute');
  chmodSync(program, 0o755);
  t.equal(findSquid('strict', folder), program, 'positive control');
  t.match(findSquid('off', folder), /^\/usr\/s?bin\/squid$/);
  t.end();
});

test('the log is read line by line; what is too long is counted and not kept', async (t) => {
  const file = join(folderOf(t), 'access.fifo');
  const [entries, unreadable]: [AccessEntry[], number[]] = [[], []];
  const pipe = await openLogPipe({
    file,
    onEntry: (entry) => entries.push(entry),
    onUnreadable: (bytes) => unreadable.push(bytes),
  });
  const amounts = { connection: 1, status: 200, sent: 1, received: 1, ms: 1 };
  const texts = {
    principal: '-',
    source: '-',
    request: '-',
    method: 'GET',
    reason: 'listed',
    squid: 'x',
    error: '-',
    server: '-',
  };
  const line = (run: string) => `${JSON.stringify({ ...amounts, ...texts, time: 1, run, host: 'a', port: '80' })}\n`;
  writeFileSync(file, line('one') + line('two').slice(0, 20));
  writeFileSync(file, line('two').slice(20));
  for (let i = 0; i < 10; i++) {
    writeFileSync(file, 'x'.repeat(10_000));
    await new Promise((done) => setImmediate(done));
  }
  writeFileSync(file, `\n\n${line('three')}`);
  await Promise.all([pipe.close(), pipe.close()]);
  t.same(
    entries.map(({ run }) => run),
    ['one', 'two', 'three'],
  );
  t.same(unreadable, [100_000]);
});
