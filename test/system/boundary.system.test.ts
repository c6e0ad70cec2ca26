// Owns the proof of the boundary: acts that must fail inside, each beside its control outside, where it succeeds.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { rootfsOf, runUnconfined } from './control.ts';
import { declareNeeds } from './needs.ts';
import { sceneOf, testAsBoth } from './scene.ts';

declareNeeds('crun', 'unshare', 'ip', 'python-tools');

const attempts = readFileSync(join(import.meta.dirname, 'attempts.py'), 'utf8');

/** What each act must come to inside. Some do not exist on every kernel: then the control fails with the word named. */
const expected: Readonly<Record<string, { readonly inside: string; readonly control?: string }>> = {
  'unshare user': { inside: 'EPERM' },
  'unshare mount': { inside: 'EPERM' },
  'unshare network': { inside: 'EPERM' },
  'clone user': { inside: 'EPERM' },
  // ENOSYS: the C library then takes clone(2), whose flags the filter can see.
  'clone3 user': { inside: 'ENOSYS' },
  'setns own network': { inside: 'EPERM' },
  'mount tmpfs': { inside: 'EPERM' },
  umount: { inside: 'EPERM' },
  fsopen: { inside: 'EPERM' },
  'open_tree clone': { inside: 'EPERM' },
  'ptrace traceme': { inside: 'EPERM' },
  keyctl: { inside: 'EPERM' },
  add_key: { inside: 'EPERM' },
  userfaultfd: { inside: 'EPERM' },
  io_uring: { inside: 'EPERM' },
  perf_event: { inside: 'EPERM' },
  'bpf map': { inside: 'EPERM' },
  chroot: { inside: 'EPERM' },
  'mknod device': { inside: 'EPERM' },
  'socket packet': { inside: 'EPERM', control: 'EAFNOSUPPORT' },
  'socket raw': { inside: 'EPERM' },
  'socket vsock': { inside: 'EPERM', control: 'EAFNOSUPPORT' },
  'socket alg': { inside: 'EPERM', control: 'EAFNOSUPPORT' },
  'setuid 0': { inside: 'EPERM' },
  setgroups: { inside: 'EPERM' },
  sethostname: { inside: 'EPERM' },
  'send IPv4': { inside: 'ENETUNREACH' },
  'send IPv6': { inside: 'ENETUNREACH' },
  'execute in /tmp': { inside: 'EACCES' },
  'execute in /dev/shm': { inside: 'EACCES' },
  'execute in /workspace': { inside: 'ok' },
  'write to /': { inside: 'EROFS' },
  'write to /dev': { inside: 'EROFS' },
  'write to /etc/passwd': { inside: 'EACCES' },
  'write to /usr/bin/env': { inside: 'EACCES' },
  'write to /proc/sys': { inside: 'EACCES' },
  'read memory of PID 1': { inside: 'EACCES' },
  'read environment of PID 1': { inside: 'EACCES' },
  'read program of PID 1': { inside: 'EACCES' },
  'enter root of PID 1': { inside: 'EACCES' },
};
/** These need somebody on the host who listens; the control is a connection from this very process. */
const hostSockets = ['connect host loopback', 'connect abstract socket'];

async function reaches(where: { port: number } | { path: string }): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(where, () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

/** Listens on the host's loopback and on an abstract socket; gives the port. */
async function listen(t: Test): Promise<number> {
  const [inet, local] = [createServer(), createServer()];
  t.teardown(async () => {
    for (const server of [inet, local]) await new Promise((done) => server.close(done));
  });
  const port = await new Promise<number>((done) => {
    inet.listen(0, '127.0.0.1', () => done((inet.address() as { port: number }).port));
  });
  const path = `\0cofferdam-${port}`;
  await new Promise<void>((done) => void local.listen(path, done));
  t.ok(await reaches({ port }), 'the control reaches the loopback port');
  t.ok(await reaches({ path }), 'the control reaches the abstract socket');
  return port;
}

/** Digest of names, types, modes, owners, sizes, times and inodes of a whole tree. */
async function treeDigest(root: string): Promise<string> {
  const format = '%P %y %m %U %s %T@ %C@ %i %l\\0';
  const found = await sceneOf('root').spawn('/usr/bin/find', ['-P', root, '-xdev', '-printf', format]).ended;
  return createHash('sha256').update(found.out).digest('hex');
}

tap.test('outside of a sandbox, every act of the list succeeds', async (t) => {
  const control = await runUnconfined('python-tools', ['python3', '-c', attempts, '1']);
  const found = JSON.parse(control.stdout || '{}') as Record<string, string>;
  t.strictSame(Object.keys(found).sort(), [...Object.keys(expected), ...hostSockets].sort(), control.stderr);
  for (const [name, { control: other = 'ok' }] of Object.entries(expected)) {
    t.ok(['ok', other].includes(found[name] ?? ''), `${name}: ${found[name]}`);
  }
});

testAsBoth('refuses every act of the list, and the image is unchanged by it', async (t, scene) => {
  const port = await listen(t);
  const rootfs = rootfsOf('python-tools');
  const before = await treeDigest(rootfs);
  const ended = await scene.run(['-p', 'python-tools', '--', 'python3', '-c', attempts, String(port)]);
  t.equal(ended.status, 0, ended.stderr);
  const found = JSON.parse(ended.stdout) as Record<string, string>;
  for (const [name, { inside }] of Object.entries(expected)) t.equal(found[name], inside, name);
  for (const name of hostSockets) t.equal(found[name], 'ECONNREFUSED', name);
  t.equal(await treeDigest(rootfs), before);
});
