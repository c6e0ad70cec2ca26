// Owns the positive control of killed-at.system.test.ts: a runtime killed without us above it does leave something, and what is
// counted there is seen, each kind of it.
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { rootfsOf } from './control.ts';
import { difference } from './gauntlet.ts';
import { awaitDeath, countHost, processesOf } from './hostCount.ts';
import { type LoneHost, makeLoneHost, readInside } from './loneHost.ts';
import { declareNeeds } from './needs.ts';

declareNeeds('crun', 'unshare', 'ip', 'base-tools');

async function script(host: LoneHost, text: string): Promise<string> {
  const ended = await host.asRoot(['/bin/sh', '-ec', text]);
  if (ended.status !== 0) throw new Error(`${ended.status} ${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

/** What `crun spec` proposes, with a program that stays. */
async function writeBundle(host: LoneHost): Promise<void> {
  await script(host, 'mkdir /tmp/control && cd /tmp/control && crun spec && mkfifo in');
  const spec = JSON.parse(readInside(host, '/tmp/control/config.json'));
  spec.root = { path: rootfsOf('base-tools'), readonly: true };
  spec.process = { ...spec.process, terminal: false, args: ['sleep', '300'] };
  writeFileSync(join(host.root, '/tmp/control/config.json'), JSON.stringify(spec));
}

// Its stdin is a fifo, because crun gives what it finds there to the guest (DESIGN.md, stdio).
const killed = `cd /tmp/control
crun --root /tmp/control/state --cgroup-manager=disabled run --bundle . control <>in >out 2>&1 &
for look in $(seq 600); do
	[ ! -s state/control/status ] || break
	sleep 0.2
done
kill -9 $!
`;

tap.test('a plain crun that is killed leaves its guest and its state, and both are counted', async (t) => {
  const host = await makeLoneHost('root');
  const before = countHost(host);
  await writeBundle(host);
  await script(host, killed);
  const left = difference(before, countHost(host));
  t.ok(left.includes('left: process sleep 300'), left.join('\n'));
  t.ok(left.includes('left: file /tmp/control/state/control/status'), left.join('\n'));
  await host.asRoot(['/bin/kill', '-9', ...processesOf(host).map(({ pid }) => pid)]);
  await awaitDeath(host);
  await script(host, 'rm -rf /tmp/control');
  t.strictSame(difference(before, countHost(host)), [], 'taken away, it is counted no more');
});

const sockets = `import socket, time
tcp = socket.create_server(("127.0.0.1", 0)); unix = socket.socket(socket.AF_UNIX); unix.bind("/tmp/control/socket")
unix.listen(); open("/tmp/control/ready", "w").close(); time.sleep(300)`;

tap.test('mounts, sockets, control groups, files and folders are counted', async (t) => {
  const host = await makeLoneHost('plain user');
  const before = countHost(host);
  const [parent] = locateCgroups(host.scene.uid).folders;
  if (parent === undefined) throw new Error('no control group of ours');
  const group = join(parent.path, `${host.prefix}control`);
  mkdirSync(group);
  await script(
    host,
    `mkdir -p /tmp/control/mounted && mount -t tmpfs tmpfs /tmp/control/mounted
    python3 -c '${sockets}' >/tmp/control/out 2>&1 &
    for look in $(seq 600); do [ ! -e /tmp/control/ready ] || break; sleep 0.2; done`,
  );
  const left = difference(before, countHost(host)).join('\n');
  for (const kind of [
    /^left: mount \/tmp\/control\/mounted tmpfs$/m,
    /^left: socket unix \/tmp\/control\/socket$/m,
    /^left: socket tcp 0100007F:/m,
    /^left: process python3 -c /m,
    /^left: folder \/tmp\/control$/m,
    /^left: file \/tmp\/control\/ready$/m,
  ])
    t.match(left, kind);
  t.ok(left.includes(`left: cgroup ${group}`), left);
  await host.asRoot(['/bin/kill', '-9', ...processesOf(host).map(({ pid }) => pid)]);
  await awaitDeath(host);
  await script(host, 'umount /tmp/control/mounted && rm -rf /tmp/control');
  rmdirSync(group);
  t.strictSame(difference(before, countHost(host)), []);
});
