// Owns the proof that sandboxes of an engine that come and go leave nothing: processes, mounts, cgroups, folders.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { listNamed, newName, removeNamed } from '../system/lifeScene.ts';
import type { Scene } from '../system/scene.ts';
import { findProcesses } from '../system/traces.ts';
import type { LifeStage } from './lifeStage.ts';

const program = join(import.meta.dirname, 'lifeCycle.ts');
const lanes = 2;
const cycles = 100;

/** Every folder below `top`, at any depth and behind no link; receipts are what runs are meant to leave. */
export function foldersBelow(top: string): string[] {
  if (!existsSync(top)) return [];
  return readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'receipts')
    .flatMap(({ name }) => [`folder ${join(top, name)}`, ...foldersBelow(join(top, name))]);
}

async function cycle(scene: Scene, engine: string, name: string, count: number): Promise<string[]> {
  const { status, stdout, stderr } = await scene.spawn(process.execPath, [program, engine, name, `${count}`]).ended;
  if (status !== 0) throw new Error(`${name}: ${stderr.slice(-2000)}`);
  return stdout.split('\n').filter((id) => id !== '');
}

type Standing = (scene: Scene) => Promise<string[]>;

/** What stands once it is `wanted`, or after two minutes: an engine's daemon takes a moment to forget. */
async function settle(scene: Scene, standing: Standing, wanted: readonly string[]): Promise<string[]> {
  let found = (await standing(scene)).sort();
  for (let look = 0; look < 600 && found.join('\n') !== wanted.join('\n'); look++) {
    await new Promise((done) => setTimeout(done, 200));
    found = (await standing(scene)).sort();
  }
  return found;
}

/** What stands when nothing more goes away by itself: an engine's own clean-up follows the end of a sandbox. */
async function readStill(scene: Scene, standing: Standing): Promise<string[]> {
  let found = (await standing(scene)).sort();
  for (let look = 0; look < 20; look++) {
    await new Promise((done) => setTimeout(done, 1000));
    const again = (await standing(scene)).sort();
    if (again.join('\n') === found.join('\n')) break;
    found = again;
  }
  return found;
}

/** The control: of one that lives processes, control groups and folders are seen, and no more when it has gone. */
async function seeOne(t: Test, stage: LifeStage, scene: Scene, standing: Standing): Promise<void> {
  const name = newName();
  const before = await readStill(scene, standing);
  const made = await scene.sandbox(['create', '-p', 'base-tools', '--engine', stage.engine, '--name', name, '--start']);
  t.teardown(() => removeNamed(scene, name));
  t.equal(made.status, 0, made.stderr);
  const more = (await standing(scene)).filter((line) => !before.includes(line));
  for (const kind of [/^process /, /^folder \/sys\/fs\/cgroup\//, /^folder (?!\/sys\/)/])
    t.ok(
      more.some((line) => kind.test(line)),
      `${kind} in ${more.join(', ')}`,
    );
  t.equal((await scene.sandbox(['rm', '-f', name])).status, 0);
  t.strictSame(await stage.listLeft(scene, `${made.stdout.trim()}-1`), []);
  t.strictSame(await settle(scene, standing, before), before);
}

/** 100, of all callers together; `standing` lists what there is of the engine's and of ours, a line each. */
export function proveCycles(stage: LifeStage, standing: Standing): void {
  const each = cycles / lanes / stage.scenes.length;
  for (const scene of stage.scenes) {
    tap.test(
      `${lanes * each} cycles of create, start, exec and remove, two at a time, leave nothing (${scene.caller})`,
      async (t) => {
        const base = newName();
        t.teardown(() => removeNamed(scene, base));
        const [first = ''] = await cycle(scene, stage.engine, `${base}-first`, 1);
        t.strictSame(await stage.listLeft(scene, `${first}-1`), []);
        await seeOne(t, stage, scene, standing);
        const before = await readStill(scene, standing);
        const names = Array.from({ length: lanes }, (_, lane) => `${base}-${lane}`);
        const ended = await Promise.allSettled(names.map((name) => cycle(scene, stage.engine, name, each)));
        const ids = ended.flatMap((lane) => {
          if (lane.status === 'rejected') throw lane.reason;
          return lane.value;
        });
        t.equal(new Set(ids).size, lanes * each);
        for (const id of ids) t.strictSame(await stage.listLeft(scene, `${id}-1`), []);
        t.strictSame(listNamed(scene, base), []);
        t.strictSame(findProcesses(base), []);
        t.strictSame(await settle(scene, standing, before), before);
      },
    );
  }
}
