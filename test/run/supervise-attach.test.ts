// Owns the one call to a user's systemd: what is asked, and that no answer is believed which the group's own list denies.
import { chmodSync, chownSync, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { setScene } from './supervise-scene.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = ['root', 'a cgroup v2 mount', 'setpriv'];

const unified = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
const nobody = 65_534;

/** A D-Bus message of `type` (2 answer, 3 error, 4 signal) without a body; `size` is what its header says of both parts. */
function message(type: number, size = 0): Buffer {
  const header = Buffer.alloc(16);
  header.write('l', 0, 'latin1');
  header[1] = type;
  header[3] = 1;
  header.writeUInt32LE(size, 4);
  header.writeUInt32LE(size, 12);
  return header;
}

/** Starts a program as nobody in a group of nobody's, which it cannot enter by itself; `answer` is the manager's. */
async function attach(t: Test, answer: Buffer | undefined, hello = 'DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n') {
  const scene = await setScene(t);
  const leaf = join(unified, `cofferdam-attach-${process.pid}-${Math.trunc(performance.now())}`);
  mkdirSync(leaf);
  t.teardown(() => (existsSync(leaf) ? rmdirSync(leaf) : undefined));
  for (const name of ['', 'cgroup.procs']) chownSync(join(leaf, name), nobody, nobody);
  const socket = `/tmp/cofferdam-manager-${process.pid}-${Math.trunc(performance.now())}`;
  let asked = Buffer.alloc(0);
  const server = createServer((client) => {
    client.on('error', () => undefined);
    client.on('data', (chunk) => {
      asked = Buffer.concat([asked, chunk]);
      if (asked.includes('BEGIN\r\n') && !client.writableEnded)
        client.end(Buffer.concat([Buffer.from(hello), answer ?? Buffer.alloc(0)]));
    });
  });
  await new Promise<void>((done) => server.listen(socket, done));
  chmodSync(socket, 0o777);
  const step = `setpriv --reuid=${nobody} --regid=${nobody} --clear-groups`;
  const ended = await scene.play(
    `exec ${step} ${scene.binary} --id x --timeout-ms 20000 --idle-ms 0 --grace-ms 100 --stdout-max 0 --stderr-max 0 \\
      --cgroup ${leaf} --manager ${socket} --unit cofferdam-runs -- /bin/echo started`,
  );
  await new Promise((done) => server.close(done));
  return { ...ended, asked: asked.toString('latin1'), group: leaf.slice(leaf.lastIndexOf('/')) };
}

test('asks for its own process, by the unit and below it', async (t) => {
  const { asked, group } = await attach(t, message(2));
  t.match(asked, '\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n');
  for (const word of ['AttachProcessesToUnit', 'ssau', 'cofferdam-runs.service', group])
    t.ok(asked.includes(word), word);
});

test('refuses to start when the manager says yes and nothing was moved, also after signals to everybody', async (t) => {
  const { exitCode, stdout, stderr } = await attach(t, Buffer.concat([message(4), message(4), message(2)]));
  t.equal(exitCode, 125);
  t.equal(stdout, '');
  t.match(stderr, /^sandbox: cannot join the control group \S+: Operation not permitted\n/);
});

test('refuses to start when the manager says no, breaks off, or speaks no D-Bus', async (t) => {
  const answers: readonly (readonly [Buffer | undefined, string | undefined, RegExp])[] = [
    [message(3), undefined, /Operation not permitted/],
    [undefined, undefined, /Connection reset by peer/],
    [message(2, 0xffff_ffff), undefined, /Protocol error/],
    [undefined, 'REJECTED EXTERNAL\r\n', /Operation not permitted/],
    [undefined, `${'x'.repeat(300)}\r\n`, /Protocol error/],
  ];
  for (const [answer, hello, says] of answers) {
    const { exitCode, stdout, stderr } = await attach(t, answer, hello);
    t.equal(exitCode, 125);
    t.equal(stdout, '');
    t.match(stderr, says);
  }
});
