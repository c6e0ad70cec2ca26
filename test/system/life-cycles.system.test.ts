// Owns the proof that sandboxes that come and go leave nothing: processes, mounts, cgroups, host ids, files.
import tap from 'tap';
import { readSandbox } from '../../lib/run/life/sandbox.ts';
import { createSandbox } from '../../lib/sdk/sandbox.ts';
import { listIds, listNamed, newName, removeNamed } from './lifeScene.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, testAsBoth } from './scene.ts';
import { findProcesses } from './traces.ts';

declareNeeds('crun', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

/** One cycle of the plain user's. */
async function goRound(scene: Scene, name: string): Promise<string> {
  const created = await scene.call(['create', '-p', 'base-tools', '--name', name, '--start']);
  if (created.status !== 0) throw new Error(created.stderr);
  const removed = await scene.call(['rm', '-f', name]);
  if (removed.status !== 0) throw new Error(removed.stderr);
  return created.stdout.trim();
}

/** The same by the library, in this process. */
async function goRoundHere(name: string): Promise<string> {
  const made = await createSandbox({ profile: 'base-tools', name, hostEnv: {}, cwd: '/' });
  await made.start();
  await made.remove({ force: true });
  return made.id;
}

function leftOf(scene: Scene, base: string): string[] {
  const sandboxes = listIds(scene).filter((id) => readSandbox(scene.paths, id)?.name.startsWith(base));
  return [...listNamed(scene, base), ...sandboxes, ...findProcesses(base).map(({ command }) => command)];
}

testAsBoth('100 cycles of create, start and remove, four at a time, leave nothing', async (t, scene) => {
  const base = newName();
  t.teardown(() => removeNamed(scene, base));
  const ids: string[] = [];
  const worker = async (number: number) => {
    for (let cycle = 0; cycle < 25; cycle++) {
      const name = `${base}-${number}-${cycle}`;
      ids.push(await (scene.uid === 0 ? goRoundHere(name) : goRound(scene, name)));
    }
  };
  // All have come to an end before what is left is removed, also when one has failed.
  const lanes = await Promise.allSettled([0, 1, 2, 3].map(worker));
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  t.equal(new Set(ids).size, 100);
  t.strictSame(leftOf(scene, base), []);
  for (const id of ids) t.strictSame(scene.traces(`${id}-1`), []);
});
