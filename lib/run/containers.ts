// Owns removing what daemons still keep of runs that are over: a container that was made and never started, most of all.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { listEngines } from '../engine/select.ts';
import type { Engine, EngineSettings } from '../engine/types.ts';
import { runFolders } from './folders.ts';

export interface SweptContainers {
  /** Ids of the runs whose containers were removed. */
  readonly removed: readonly string[];
  /** Engines whose daemon could not be asked, and why. */
  readonly stuck: readonly { readonly id: string; readonly why: string }[];
}

async function sweepEngine(engine: Engine, records: string): Promise<SweptContainers> {
  const probe = await engine.probe().catch(() => undefined);
  // Not installed, not running, or not one that we would use: then it runs nothing of ours.
  if (probe === undefined || engine.sweep === undefined) return { removed: [], stuck: [] };
  try {
    return { removed: await engine.sweep(probe, records, (id) => existsSync(join(records, id))), stuck: [] };
  } catch (error) {
    return { removed: [], stuck: [{ id: engine.name, why: printable(messageOf(error), 300) }] };
  }
}

/**
 * Removes the containers of runs without a record, by the label that only ours have. To be called after records of dead runs
 * are gone. Asks every daemon that answers; throws nothing.
 */
export async function sweepContainers(paths: Paths, settings: EngineSettings): Promise<SweptContainers> {
  const { records } = runFolders(paths);
  const keeping = (await listEngines(settings)).filter(({ sweep }) => sweep !== undefined);
  const swept = await Promise.all(keeping.map((engine) => sweepEngine(engine, records)));
  return { removed: swept.flatMap(({ removed }) => removed), stuck: swept.flatMap(({ stuck }) => stuck) };
}
