// Owns what becomes of a sandbox that somebody meddles with: two at once, kills, a reboot, things gone behind its back.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { runFolders } from '../../lib/run/folders.ts';
import { readSandbox } from '../../lib/run/life/sandbox.ts';
import { inspect, killSupervisor, listIds, make, newName, refused } from './lifeScene.ts';
import { declareNeeds } from './needs.ts';
import { testAsBoth, until } from './scene.ts';
import { membersOf, readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

testAsBoth('of two who want one name exactly one wins, and nothing of the other is left', async (t, scene) => {
  const name = newName();
  const words = ['create', '-p', 'base-tools', '--name', name];
  const both = await Promise.all([scene.sandbox(words), scene.sandbox(words)]);
  t.strictSame(both.map(({ status }) => status).sort(), [0, 125]);
  const winner = both.find(({ status }) => status === 0)?.stdout.trim();
  t.strictSame(
    listIds(scene).filter((id) => readSandbox(scene.paths, id)?.name === name),
    [winner],
  );
  t.equal((await scene.call(['rm', name])).status, 0);
});

testAsBoth('starting a running one changes nothing, and of two starts at once one starts', async (t, scene) => {
  const made = await make(t, scene, [], false);
  const both = await Promise.all([scene.sandbox(['start', made.name]), scene.sandbox(['start', made.name])]);
  t.strictSame(
    both.map(({ status }) => status),
    [0, 0],
  );
  t.match(await inspect(scene, made), { starts: 1, state: { status: 'running' } });
});

testAsBoth(
  'a killed supervisor takes the guest with it; the sandbox is lost, freed and can be started again',
  async (t, scene) => {
    const made = await make(t, scene);
    const run = `${made.id}-1`;
    const members = membersOf(scene.uid, run);
    t.ok(members.length > 0, 'there was a guest');
    await killSupervisor(scene, made);
    t.ok(await until(() => members.every((member) => readSoft(`/proc/${member}/stat`).match(/\) [ZX] |^$/) !== null)));
    t.equal((await inspect(scene, made)).state.status, 'lost');
    refused(t, await scene.call(['wait', made.name]), /supervisor of .* was killed/);
    await scene.call(['gc']);
    t.strictSame(scene.traces(run), []);
    t.equal((await scene.call(['start', made.name])).status, 0);
    t.match(await inspect(scene, made), { starts: 2, state: { status: 'running' } });
    await killSupervisor(scene, made);
    t.equal((await scene.call(['rm', made.name])).status, 0);
    t.strictSame(scene.traces(`${made.id}-2`), []);
  },
);

testAsBoth('one whose run folder was removed behind our back is still stopped', async (t, scene) => {
  const made = await make(t, scene);
  rmSync(join(runFolders(scene.paths).runs, `${made.id}-1`), { recursive: true });
  refused(t, await scene.call(['kill', '-s', 'USR1', made.name]), /cannot be reached/);
  t.equal((await scene.call(['stop', made.name])).status, 0);
  t.equal((await inspect(scene, made)).state.status, 'exited');
  t.strictSame(scene.traces(`${made.id}-1`), []);
});

testAsBoth('after a reboot, when all of /run is gone, it can be started again', async (t, scene) => {
  const made = await make(t, scene);
  await killSupervisor(scene, made);
  await scene.call(['gc']);
  // Root's is the host's own.
  if (scene.uid !== 0) rmSync(scene.paths.run, { recursive: true });
  t.equal((await inspect(scene, made)).state.status, 'lost');
  t.match(await scene.call(['start', made.name]), { status: 0, stderr: '' });
  t.equal((await inspect(scene, made)).state.status, 'running');
});

testAsBoth('gc and prune leave those that run, and prune removes the others', async (t, scene) => {
  const label = newName();
  const live = await make(t, scene, ['-l', `test=${label}`]);
  const created = await make(t, scene, ['-l', `test=${label}`], false);
  const ended = await make(t, scene, ['-l', `test=${label}`, '--', 'true']);
  await scene.call(['wait', ended.name]);
  t.equal((await scene.call(['gc'])).status, 0);
  const pruned = await scene.call(['prune', '--filter', `label=test=${label}`]);
  t.strictSame(pruned.stdout.trim().split('\n').sort(), [created.id, ended.id].sort());
  t.equal((await inspect(scene, live)).state.status, 'running');
});

testAsBoth('refuses to start what would be another sandbox now', async (t, scene) => {
  const profile = scene.write('own.yaml', 'extends: base-tools\n');
  const name = newName();
  t.equal((await scene.call(['create', '-p', profile, '--name', name])).status, 0);
  t.teardown(() => scene.call(['rm', '-f', name]));
  scene.write('own.yaml', 'extends: base-tools\nlimits:\n  pids: 32\n');
  refused(t, await scene.call(['start', name]), /profile .* changed/);
  scene.write('own.yaml', '# the same again\nextends: base-tools\n');
  t.equal((await scene.call(['start', name])).status, 0);
});

testAsBoth('refuses what cannot be had, and leaves nothing of it', async (t, scene) => {
  const name = newName();
  const cases: [string[], RegExp][] = [
    [['-p', 'nosuch'], /no profile/],
    [['-p', 'base-tools', '--name', 'Not/Valid'], /cannot be the name/],
    [['-p', 'base-tools', '--ttl', '900d'], /ceiling/],
    [['-p', 'base-tools', '--ttl', '0s'], /no time/],
    [['-p', 'base-tools', '--idle', '5'], /duration/],
    [['-p', 'base-tools', '-l', 'novalue'], /NAME=value/],
    [['-p', 'base-tools', '-e', 'API_TOKEN=x'], /secret/],
  ];
  const own = (id: string) => readSandbox(scene.paths, id)?.name === name;
  for (const [words, text] of cases) {
    const ended = await scene.call(['create', ...words, ...(words.includes('--name') ? [] : ['--name', name])]);
    t.ok([2, 125].includes(ended.status ?? 0), words.join(' '));
    t.match(ended.stderr, text);
    t.strictSame(listIds(scene).filter(own), []);
  }
  const free = await scene.call(['create', '-p', 'base-tools', '--name', name]);
  t.equal(free.status, 0, 'the name is free');
  t.equal((await scene.call(['rm', '-f', name])).status, 0);
});
