// Owns what a proof of a cell is: checks of `sandbox verify` on the engine, and acts that show it.
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { newId, sceneOf } from '../../system/scene.ts';
import type { CellEngine } from './engines.ts';

/** Where an act has its files: of the caller, gone at the end. */
export interface Place {
  /** A profile of base-tools with these lines; gives its path. */
  profile(lines: string): string;
  /** A host folder with a file `seen`. */
  readonly folder: string;
  /** What a file below it holds; undefined when it is not there. */
  read(name: string): string | undefined;
  readonly base: string;
}

interface Shown {
  /** Words of `sandbox run`, after the engine. */
  readonly flags: (place: Place) => readonly string[];
  /** What the result must match (tap's match): status, stdout, limits … */
  readonly wanted: object;
}

export interface Act extends Shown {
  readonly command: readonly string[];
  /** The same command where it was not asked for, and what is seen then: so the act shows the difference. */
  readonly control?: Shown;
  /** Files on the host afterwards: name → content. */
  readonly left?: Readonly<Record<string, string | undefined>>;
}

export interface Proof {
  /** Checks that must pass, unless the engine says that it lacks them. Each stands for one act inside or one look from outside. */
  readonly checks?: readonly string[];
  readonly acts?: readonly Act[];
  /** What cannot be told by one run's result. */
  /** Tests that show it with what else it takes: a daemon of ours, another host. */
  readonly elsewhere?: readonly string[];
  readonly show?: (t: Test, engine: CellEngine) => Promise<void>;
}

export function openPlace({ scene }: CellEngine): Place {
  const base = `cell-${newId()}`;
  scene.write(`${base}/work/seen`, 'seen');
  const folder = join(scene.home, base, 'work');
  // Whoever the program is outside: what refuses to write is the mount.
  chmodSync(folder, 0o777);
  // A writable folder of root's is refused.
  const { uid, gid } = sceneOf('plain user');
  chownSync(folder, uid, gid);
  return {
    base: join(scene.home, base),
    folder,
    profile: (lines) => scene.write(`${base}/${newId()}.yaml`, `image: base-tools\n${lines}\n`),
    read: (name) => {
      try {
        return readFileSync(join(scene.home, base, name), 'utf8');
      } catch {
        return undefined;
      }
    },
  };
}

/** Does an act on an engine, and its control. */
export async function perform(t: Test, engine: CellEngine, act: Act): Promise<void> {
  const place = openPlace(engine);
  const { result } = await engine.run([...act.flags(place), '--', ...act.command]);
  t.match(result, act.wanted, JSON.stringify({ ...result, artifacts: result.artifacts?.length }));
  for (const [name, content] of Object.entries(act.left ?? {})) t.equal(place.read(name), content, name);
  if (act.control === undefined) return;
  const { result: without } = await engine.run([...act.control.flags(place), '--', ...act.command]);
  t.match(without, act.control.wanted, `control: ${without.stdout} ${without.stderr}`);
}
