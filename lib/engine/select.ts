// Owns the list of engines, and finding one by its name.
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { hostConfigSchema } from '../profile/hostConfig.ts';
import type { Profile } from '../profile/schema.ts';
import { crunEngine } from './crun.ts';
import { dockerEngine } from './docker.ts';
import { nerdctlEngine } from './nerdctl.ts';
import { podmanEngine } from './podman.ts';
import { runscEngine } from './runsc.ts';
import type { Engine, EngineSettings } from './types.ts';

/** Best first. */
export function listEngines(settings: EngineSettings): readonly Engine[] {
  return [crunEngine, podmanEngine, nerdctlEngine(settings), dockerEngine(settings), runscEngine];
}

/** The engine called `name`. Without settings its daemon, if it has one, is where it usually is. Throws ENGINE_UNKNOWN with the nearest names. */
export function selectEngine(name: string, settings: EngineSettings = hostConfigSchema.parse({}).engines): Engine {
  const engines = listEngines(settings);
  const found = engines.find((engine) => engine.name === name);
  if (found !== undefined) return found;
  const known = engines.map((engine) => engine.name);
  throw new CofferdamError('ENGINE_UNKNOWN', `no engine is called "${printable(name, 60)}"${didYouMean(name, known)}`, {
    remedy: `use one of: ${known.join(', ')}`,
  });
}

/** The first that answers. Throws what is wrong with the first, when none does. */
async function findBest(settings: EngineSettings): Promise<Engine> {
  let first: unknown;
  for (const engine of listEngines(settings).filter(({ name }) => name !== 'runsc')) {
    try {
      await engine.probe();
      return engine;
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

/**
 * The engine that gives a sandbox its isolation. gVisor takes the place of crun, which runs bundles of ours as runsc does.
 * Throws ENGINE_UNKNOWN, and ENGINE_CANNOT for an engine that cannot do it.
 */
export async function selectIsolating(
  { engine, isolation }: Pick<Profile, 'engine' | 'isolation'>,
  settings: EngineSettings,
): Promise<Engine> {
  if (engine === 'best') return isolation === 'process' ? findBest(settings) : runscEngine;
  const selected = selectEngine(engine, settings);
  if (isolation === 'process') return selected;
  if (selected === crunEngine) return runscEngine;
  throw new CofferdamError(
    'ENGINE_CANNOT',
    `${engine} cannot enforce isolation: gvisor; limits and filter of runsc are proven where it takes crun's place`,
    {
      remedy: 'use --engine crun with isolation: gvisor',
    },
  );
}
