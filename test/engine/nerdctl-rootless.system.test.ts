// Owns the proof that a plain user's own containerd, in rootlesskit, runs the same bundles within the same boundary, and nobody else's does.
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { readHostIds } from '../../lib/engine/subids.ts';
import { findImage } from '../../lib/image/find.ts';
import { declareNeeds } from '../system/needs.ts';
import { newId } from '../system/scene.ts';
import { leafOf, leavesOf } from '../system/traces.ts';
import { isAlive, startWaiting, testKills, testLimits } from './daemonRuns.ts';
import { makeHome, ownEngine } from './ownDaemon.ts';
import { startRootless } from './rootlessScene.ts';

declareNeeds('unshare', 'crun', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const containerd = await startRootless();
const { scene } = containerd;
const engine = ['--engine', 'nerdctl', '-p', 'base-tools'];

test("the container is the caller's containerd's, with ids of its own and in the control groups of its run", async (t) => {
  const live = await startWaiting(containerd, 'nerdctl');
  const { id, run, guests } = live;
  t.match(await containerd.nerdctl('ps', '--format', '{{.Names}}'), `cofferdam-${id}`);
  t.equal(guests.length, 2, 'our init and the program');
  const { subuids } = readHostIds(scene.uid, scene.gid);
  const [init = -1] = guests;
  const status = readFileSync(`/proc/${guests[1]}/status`, 'utf8');
  const uid = Number(/^Uid:\t(\d+)\t/m.exec(status)?.[1]);
  t.ok(uid >= subuids.start && uid < subuids.start + subuids.count, `${uid}`);
  const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
  t.match(readFileSync(`/proc/${parent}/cmdline`, 'utf8'), /containerd-shim-runc-v2/);
  const kit = readlinkSync(`/proc/${containerd.kitPid()}/ns/user`);
  t.equal(readlinkSync(`/proc/${parent}/ns/user`), kit, "the shim is in rootlesskit's namespace");
  t.not(readlinkSync(`/proc/${init}/ns/user`), kit, 'the sandbox has one of its own below');
  for (const leaf of leavesOf(scene.uid, id))
    t.same(readFileSync(join(leaf, 'cgroup.procs'), 'utf8').trim().split('\n').map(Number), guests, leaf);
  run.child.kill('SIGTERM');
  await run.ended;
  t.ok(await containerd.isGone(id));
});

test('limits stand in the groups of the run', async (t) => {
  const id = newId();
  const script = 'echo ready; exec sleep 60';
  const limits = ['--memory', '64m', '--cpus', '0.5', '--pids', '20'];
  const run = containerd.start(['run', ...engine, ...limits, '--id', id, '--', 'sh', '-c', script]);
  t.teardown(() => run.child.kill('SIGKILL'));
  for (let look = 0; look < 600 && !run.out().includes('ready'); look++)
    await new Promise((done) => setTimeout(done, 100));
  t.match(run.out().toString(), 'ready', run.err().toString());
  const read = (controller: 'memory' | 'pids' | 'cpu', file: string) =>
    readFileSync(join(leafOf(scene.uid, id, controller), file), 'utf8').trim();
  t.equal(read('memory', 'memory.limit_in_bytes'), String(64 << 20));
  t.equal(read('memory', 'memory.memsw.limit_in_bytes'), String(64 << 20));
  t.equal(read('pids', 'pids.max'), '20');
  t.equal(read('cpu', 'cpu.cfs_quota_us'), '50000');
  run.child.kill('SIGTERM');
  await run.ended;
  t.ok(await containerd.isGone(id));
});

testLimits(containerd, 'nerdctl');
testKills(containerd, 'nerdctl', { 'our script': /nerdctl-run /, 'the client': /^\S+\/nerdctl .* run / });

test('artifacts, a writable folder and a copy of one are those of the run', async (t) => {
  const out = join(scene.home, 'out');
  const { status, stderr } = await containerd.run(['--artifacts', out, '--', 'sh', '-c', 'echo made >/artifacts/file']);
  t.equal(status, 0, stderr);
  t.equal(readFileSync(join(out, 'file'), 'utf8'), 'made\n');
  scene.write('project/file', 'old\n');
  const folder = join(scene.home, 'project');
  t.equal((await containerd.run(['-w', `${folder}:rw`, '--', 'sh', '-c', 'echo new >file'])).status, 0);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
  t.equal((await containerd.run(['-w', `${folder}:copy`, '--', 'sh', '-c', 'echo copy >file'])).status, 0);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
});

test('gc removes a container that was made and never started, and no other', async (t) => {
  const { rootfs } = findImage('base-tools', scene.paths.imageStores);
  const dead = newId();
  const labels = ['--label', `cofferdam.records=${join(scene.paths.run, 'records')}`];
  await containerd.nerdctl(
    ...['create', '--network', 'none', '--name', `cofferdam-${dead}`, ...labels, '--rootfs', rootfs, 'true'],
  );
  const { id, run, guests } = await startWaiting(containerd, 'nerdctl');
  const { containers } = JSON.parse((await containerd.start(['gc', '--json']).ended).stdout) as {
    containers: string[];
  };
  t.same(containers, [dead]);
  t.ok(guests.every(isAlive));
  run.child.kill('SIGTERM');
  await run.ended;
  t.ok(await containerd.isGone(id));
  t.same(readdirSync(containerd.containers), []);
});

/** `sandbox run` as the plain user, where rootlesskit's folder is another. */
async function refusal(t: Test, rootlesskit: string): Promise<string> {
  const home = makeHome('rootless', () =>
    JSON.stringify({
      engines: { nerdctl: { client: '/var/cache/cofferdam-tests/nerdctl-v2.2.1/nerdctl', rootlesskit } },
    }),
  );
  const other = ownEngine({ engine: 'nerdctl', home, scene, containersOf: async () => '' });
  const { status, stdout, stderr } = await other.start(['run', ...engine, '--', 'echo', 'started']).ended;
  t.equal(status, 125);
  t.equal(stdout, '');
  return stderr;
}

function writeKit(name: string, pid: number): string {
  const folder = join(scene.home, name);
  scene.write(`${name}/child_pid`, String(pid));
  return folder;
}

test('refuses a plain user without a containerd, by name', async (t) => {
  t.match(await refusal(t, join(scene.home, 'none')), /no containerd of yours is running/);
});

test('refuses a process that is in no namespace of its own, or is not the caller’s', async (t) => {
  const mine = scene.spawn('sleep', ['60']);
  t.teardown(() => mine.child.kill('SIGKILL'));
  t.match(await refusal(t, writeKit('plain', mine.pid)), /is in no namespace of its own/);
  t.match(await refusal(t, writeKit('foreign', process.pid)), /the process [0-9]+ is not the caller's alone/);
});

test('refuses a folder that somebody else may write to, or owns', async (t) => {
  const folder = writeKit('open', containerd.kitPid());
  chmodSync(folder, 0o777);
  t.match(await refusal(t, folder), /open is not the caller's alone/);
  const roots = makeHome('kit', () => '');
  mkdirSync(join(roots, 'kit'));
  writeFileSync(join(roots, 'kit', 'child_pid'), String(containerd.kitPid()));
  t.match(await refusal(t, join(roots, 'kit')), /kit is not the caller's alone/);
});

test('refuses namespaces with other ids than ours', async (t) => {
  const other = scene.spawn('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', 'echo up; exec sleep 60']);
  t.teardown(() => other.child.kill('SIGKILL'));
  for (let look = 0; look < 600 && !other.out().includes('up'); look++)
    await new Promise((done) => setTimeout(done, 100));
  t.match(await refusal(t, writeKit('unmapped', other.pid)), /did not map the ids of sandboxes/);
});

test('nothing is kept of containers that have ended', async (t) => {
  const fifos = join(`/proc/${containerd.kitPid()}/root`, 'run/containerd/fifo');
  t.same(readdirSync(fifos), []);
  t.same(readdirSync(containerd.containers), []);
  t.equal(await containerd.nerdctl('ps', '--all', '--quiet'), '');
});
