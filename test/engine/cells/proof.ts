// Owns what a proof of a cell is: checks of `sandbox verify` on the engine, and acts that show it.
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { newId, sceneOf } from '../../system/scene.ts';
import type { CellEngine } from './engines.ts';
import type { Told } from './runs.ts';

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

/** What is asked for, of a run. Those that go together are asked for by one run; their lines and words must not clash. */
export interface Asked {
  /** Top-level keys of a profile. */
  readonly lines?: (place: Place) => string;
  /** Words of `sandbox run`. */
  readonly flags?: (place: Place) => readonly string[];
}

export interface Act {
  readonly asked: Asked;
  /** Whether it has a run of its own, since it ends it or asks for what others ask for. */
  readonly alone?: true;
  /** Of the shell. What it prints is its part of the output. */
  readonly script: string;
  /** Matched by its part of the output where it was asked for. */
  readonly part?: RegExp;
  /** What the result of that run must match (tap's match). */
  readonly result?: object;
  /** The same of a run in which nothing was asked for, so that the act shows the difference. */
  readonly control?: { readonly part?: RegExp; readonly result?: object };
  /** Files on the host afterwards: name → content. */
  readonly left?: Readonly<Record<string, string | undefined>>;
}

export interface Proof {
  /** Checks that must pass, unless the engine says that it lacks them. Each stands for one act inside or one look from outside. */
  readonly checks?: readonly string[];
  readonly acts?: readonly Act[];
  /** Tests that show it with what else it takes: a daemon of ours, another host. */
  readonly elsewhere?: readonly string[];
  /** What cannot be told by the output and result of a run. */
  readonly show?: (t: Test, engine: CellEngine, told: Told) => Promise<void>;
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
