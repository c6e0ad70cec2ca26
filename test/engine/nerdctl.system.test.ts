// Owns the proof that containerd runs the same bundles within the boundary that the matrix promises, and that nothing of it outlives us.
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import tap, { test } from 'tap';
import { readHostIds } from '../../lib/engine/subids.ts';
import { findImage } from '../../lib/image/find.ts';
import { declareNeeds } from '../system/needs.ts';
import { newId, sceneOf, until } from '../system/scene.ts';
import { findProcesses, membersOf } from '../system/traces.ts';
import { isAlive, startWaiting, testKills, testLimits, testVerify } from './daemonRuns.ts';
import { startContainerd } from './nerdctlScene.ts';

declareNeeds('unshare', 'crun', 'base-tools');
// A whole verify, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const scene = sceneOf('root');
const containerd = await startContainerd();
const before = existsSync('/run/containerd/fifo') ? readdirSync('/run/containerd/fifo') : [];
const engine = ['--engine', 'nerdctl', '-p', 'base-tools'];

testVerify(containerd, 'nerdctl', 245);

test("the container is containerd's, with ids of its own and in the control groups of its run", async (t) => {
  const { id, run, guests } = await startWaiting(containerd, 'nerdctl');
  const { id: other, run: second, guests: others } = await startWaiting(containerd, 'nerdctl');
  t.match(await containerd.nerdctl('ps', '--format', '{{.Names}}'), `cofferdam-${id}`);
  const { subuids } = readHostIds(0, 0);
  const uids = [...guests, ...others].map((pid) => {
    const [, uid] = /^Uid:\t(\d+)\t/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(uid);
  });
  for (const uid of uids) t.ok(uid >= subuids.start && uid < subuids.start + subuids.count);
  t.equal(new Set(uids).size, 2, 'one host uid for each');
  // Its parent is containerd's own process for it, so nothing of ours is.
  t.doesNotThrow(() => containerd.findShim(id, guests[0] ?? -1));
  t.equal(readFileSync(`/proc/${guests[0]}/oom_score_adj`, 'utf8'), readFileSync('/proc/self/oom_score_adj', 'utf8'));
  for (const started of [run, second]) started.child.kill('SIGTERM');
  await Promise.all([run.ended, second.ended]);
  t.ok((await containerd.isGone(id)) && (await containerd.isGone(other)));
});

testLimits(containerd, 'nerdctl');
testKills(containerd, 'nerdctl', { 'our script': /nerdctl-run /, 'the client': /^\S+\/nerdctl .* run / });

test("the container dies when containerd's own process for it is killed", async (t) => {
  const { id, run, guests } = await startWaiting(containerd, 'nerdctl');
  containerd.findShim(id, guests[0] ?? -1).kill();
  const { status, stderr } = await run.ended;
  t.equal(status, 125);
  t.match(stderr, /containerd lost the program/);
  t.notOk(guests.some(isAlive));
  t.ok(await containerd.isGone(id));
});

test("a container that is removed with containerd's own client ends the run", async (t) => {
  const { id, run } = await startWaiting(containerd, 'nerdctl');
  await containerd.nerdctl('rm', '--force', `cofferdam-${id}`);
  // Its client learns either of the program's end or of the container's.
  t.match((await run.ended).status, /^(125|137)$/);
  t.ok(await containerd.isGone(id));
});

test('nothing is brought in by its client, which would use another specification', async (t) => {
  const { id, run } = await startWaiting(containerd, 'nerdctl');
  await t.rejects(containerd.nerdctl('exec', `cofferdam-${id}`, 'true'), {
    message: /a sandbox is entered and changed by: sandbox/,
  });
  run.child.kill('SIGTERM');
  await run.ended;
});

test('a bundle that nerdctl wrote runs nothing: its program is in no image', async (t) => {
  const { rootfs } = findImage('base-tools', scene.paths.imageStores);
  const { id, run } = await startWaiting(containerd, 'nerdctl');
  const [found = ''] = findProcesses(id)
    .map(({ command }) => /--entrypoint (\S+)/.exec(command)?.[1] ?? '')
    .filter((word) => word !== '');
  t.match(found, /^\/\.cofferdam\//);
  t.notOk(existsSync(join(rootfs, found)));
  run.child.kill('SIGTERM');
  await run.ended;
});

test('artifacts, a writable folder and a copy of one are those of the run', async (t) => {
  const out = join(scene.home, 'out');
  const { status, stderr } = await containerd.run(['--artifacts', out, '--', 'sh', '-c', 'echo made >/artifacts/file']);
  t.equal(status, 0, stderr);
  t.equal(readFileSync(join(out, 'file'), 'utf8'), 'made\n');
  const folder = dirname(sceneOf('plain user').write('project/file', 'old\n'));
  t.equal((await containerd.run(['-w', `${folder}:rw`, '--', 'sh', '-c', 'echo new >file'])).status, 0);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
  t.equal((await containerd.run(['-w', `${folder}:copy`, '--', 'sh', '-c', 'echo copy >file'])).status, 0);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
});

test('gc removes a container that was made and never started, and no other', async (t) => {
  const { rootfs } = findImage('base-tools', scene.paths.imageStores);
  const dead = newId();
  const labels = ['--label', `cofferdam.records=${join(scene.paths.run, 'records')}`];
  const make = ['create', '--network', 'none', '--name', `cofferdam-${dead}`, ...labels, '--rootfs', rootfs, 'true'];
  await containerd.nerdctl(...make);
  mkdirSync(join(containerd.containers, `cofferdam-${dead}`), { recursive: true });
  const { id, run, guests } = await startWaiting(containerd, 'nerdctl');
  const { containers } = JSON.parse((await containerd.start(['gc', '--json']).ended).stdout) as {
    containers: string[];
  };
  t.same(containers, [dead]);
  t.ok(guests.every(isAlive));
  t.same(readdirSync(containerd.containers), [`cofferdam-${id}`]);
  run.child.kill('SIGTERM');
  await run.ended;
  t.ok(await containerd.isGone(id));
});

/** A shim stands in its container's folder: where that is gone, it has nothing to do any more. */
function isForgotten({ pid, command }: { pid: number; command: string }): boolean {
  try {
    return command.includes('/containerd-shim-') && readlinkSync(`/proc/${pid}/cwd`).endsWith(' (deleted)');
  } catch {
    return false; // It has ended.
  }
}

test('nothing is kept of containers that have ended', async (t) => {
  const folder = '/run/containerd/fifo';
  const fifos = existsSync(folder) ? readdirSync(folder) : [];
  // The folder is everybody's: another test's containers may stand there for a while.
  const strange = fifos.filter((name) => !before.includes(name));
  t.ok(await until(() => strange.every((name) => !existsSync(join(folder, name)))), strange.join(' '));
  t.same(readdirSync(containerd.containers), []);
  t.equal(await containerd.nerdctl('ps', '--all', '--quiet'), '');
  const others = () => findProcesses(containerd.socket).filter(({ pid }) => pid !== containerd.daemon.pid);
  await until(() => others().length === 0);
  // On a host so slow that containerd's own seconds for a shim are over, it may forget one whose container is gone.
  const forgotten = others().filter(isForgotten);
  for (const { pid } of forgotten) process.kill(pid, 'SIGKILL');
  t.comment(`${forgotten.length} shims forgotten by containerd`);
  t.ok(
    await until(() => others().length === 0),
    others()
      .map(({ command }) => command)
      .join('\n'),
  );
});

test('when containerd is killed the run ends, and nothing of the guest goes on', async (t) => {
  const other = await startContainerd();
  const { id, run, guests } = await startWaiting(other, 'nerdctl');
  const shim = other.findShim(id, guests[0] ?? -1);
  process.kill(other.daemon.pid, 'SIGKILL');
  const { status, stderr } = await run.ended;
  t.equal(status, 125);
  t.match(stderr, /containerd lost the program/);
  t.notOk(guests.some(isAlive));
  t.same(membersOf(0, id), []);
  // Nobody is left to tell it; the next containerd on this state would.
  shim.kill();
  t.ok(await until(() => scene.traces(id).length === 0), scene.traces(id).join('\n'));
});

test("refuses a plain user without a containerd of their own: the host's is root's", async (t) => {
  const { status, stderr } = await sceneOf('plain user').sandbox(['run', ...engine, '--', 'echo', 'started']);
  t.equal(status, 125);
  t.match(stderr, /nerdctl is not installed|no containerd of yours is running/);
});

test('refuses a daemon that does not answer, with what to do', async (t) => {
  const { status, stderr } = await scene.sandbox(['run', ...engine, '--', 'true']);
  t.equal(status, 125);
  t.match(stderr, /nerdctl is not installed|containerd does not answer at \/run\/containerd\/containerd\.sock/);
});
