// Tests freeing the control groups of dead runs, also where only the run's own plan says that they are.
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync, streamTool } from '../../lib/base/exec.ts';
import { startTimeOf } from '../../lib/base/process.ts';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import type { RunFolders } from '../../lib/run/folders.ts';
import { isCgroup, plannedParents } from '../../lib/run/leaves.ts';
import { reapRuns } from '../../lib/run/reap.ts';
import { digestPlan } from '../../lib/run/receipt/planFacts.ts';
import { writeTree } from './hostileTree.ts';
import { addRun, deadLine, later, makeFolders, noPlan, standing } from './reap-scene.ts';

export const needs = ['root', 'control groups that root may make'];

/** A group in another place than this user's leaves, with a leaf for `id` in which a process lives. */
async function makeGroup(t: Test, id: string): Promise<{ parents: string[]; pid: number; parent: string }> {
  const parents = locateCgroups(0).folders.map(({ path }) => path);
  const parent = join(dirname(dirname(parents[0] ?? '')), `cofferdam-test-${process.pid}-${id}`);
  mkdirSync(join(parent, id), { recursive: true });
  const child = streamTool('sleep', ['60'], {
    env: {},
    stdin: 'ignore',
    stdout: () => undefined,
    stderr: () => undefined,
  });
  const pid = child.pid ?? 0;
  writeFileSync(join(parent, id, 'cgroup.procs'), String(pid));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child.ended;
    for (const group of [join(parent, id), parent]) if (existsSync(group)) runToolSync('rmdir', [group]);
  });
  return { parents, pid, parent };
}

/** A plan's folder with these groups, under its digest. */
function addPlan(folders: RunFolders, paths: readonly string[]): string {
  const files = new Map([['inputs.json', JSON.stringify({ cgroups: { folders: paths.map((path) => ({ path })) } })]]);
  const digest = digestPlan('/no/such', noPlan, files);
  writeTree(join(folders.plans, digest), Object.fromEntries(files));
  return digest;
}

test('a run that lived below another group is freed by what its own plan says', async (t) => {
  const folders = makeFolders(t);
  const id = 'reap-elsewhere';
  const { pid, parent } = await makeGroup(t, id);
  addRun(folders, id, 1, deadLine(id, addPlan(folders, [parent])));
  t.match(await reapRuns(folders, locateCgroups(0), Date.now()), { freed: [id], stuck: [] });
  t.notOk(existsSync(join(parent, id)));
  t.equal(startTimeOf(pid), undefined, 'what was in it is dead');
});

test('a plan is believed only whole, and only about groups', async (t) => {
  const folders = makeFolders(t);
  const id = 'reap-changed';
  const { pid, parent } = await makeGroup(t, id);
  const digest = addPlan(folders, [parent]);
  t.same(plannedParents(folders.plans, digest), [parent], 'control');
  const file = join(folders.plans, digest, 'inputs.json');
  writeFileSync(file, `${readFileSync(file, 'utf8')} `);
  t.same(plannedParents(folders.plans, digest), []);
  addRun(folders, id, 1, deadLine(id, digest));
  await reapRuns(folders, locateCgroups(0), Date.now());
  t.ok(startTimeOf(pid), 'nothing elsewhere is killed for a changed plan');
  const outside = join(dirname(folders.runs), 'tree');
  mkdirSync(outside);
  symlinkSync(parent, join(outside, 'link'));
  for (const path of [
    outside,
    join(outside, 'link'),
    `${parent}/../${parent.split('/').at(-1)}`,
    '/sys/fs/cgroup/nonexistent',
    '/sys',
    '/',
    '',
  ])
    t.notOk(isCgroup(path), path);
  t.ok(isCgroup(parent));
});

test('a damaged record whose run lives is left, with all that the run has', async (t) => {
  const folders = makeFolders(t);
  const id = 'reap-lives';
  const { pid, parent } = await makeGroup(t, id);
  addRun(folders, id, 1, 'damaged');
  const here = { version: 1 as const, folders: [{ controllers: ['memory' as const], path: parent }] };
  t.match(await reapRuns(folders, here, later()), { freed: [], stuck: [{ id, why: /live/ }], quarantined: [] });
  t.equal(standing(folders).length, 3);
  t.ok(startTimeOf(pid));
  process.kill(pid, 'SIGKILL');
  for (let n = 0; n < 6000 && startTimeOf(pid) !== undefined; n++) await new Promise((done) => setTimeout(done, 10));
  t.match(await reapRuns(folders, here, later()), { stuck: [], quarantined: [{ file: join(folders.records, id) }] });
  t.same(standing(folders), []);
});
