// Owns the list of engines, and finding one by its name. Each is loaded when it is asked for: the six are sixty files.
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import type { Profile } from '../profile/schema.ts';
import { isGuestKernel } from './guestKernel.ts';
import type { Engine, EngineName, EngineSettings } from './types.ts';

type Loader = (settings: EngineSettings | undefined) => Promise<Engine>;

async function usualSettings(): Promise<EngineSettings> {
  const { hostConfigSchema } = await import('../profile/hostConfig.ts');
  return hostConfigSchema.parse({}).engines;
}

const loaders: Readonly<Record<EngineName, Loader>> = {
  crun: async () => (await import('./crun.ts')).crunEngine,
  podman: async () => (await import('./podman.ts')).podmanEngine,
  nerdctl: async (settings) => (await import('./nerdctl.ts')).nerdctlEngine(settings ?? (await usualSettings())),
  docker: async (settings) => (await import('./docker.ts')).dockerEngine(settings ?? (await usualSettings())),
  runsc: async () => (await import('./runsc.ts')).runscEngine,
  'podman+runsc': async () => (await import('./podmanRunsc.ts')).podmanRunscEngine,
};

/** Best first. */
export const engineNames: readonly EngineName[] = ['crun', 'podman', 'nerdctl', 'docker', 'runsc', 'podman+runsc'];

/** All of them, best first. */
export async function listEngines(settings: EngineSettings): Promise<readonly Engine[]> {
  return Promise.all(engineNames.map((name) => loaders[name](settings)));
}

/**
 * The engine called `name`. Without settings its daemon, if it has one, is where it usually is. Rejects with ENGINE_UNKNOWN and
 * the nearest names.
 */
export async function selectEngine(name: string, settings?: EngineSettings): Promise<Engine> {
  const known = engineNames.find((one) => one === name);
  if (known !== undefined) return loaders[known](settings);
  throw new CofferdamError(
    'ENGINE_UNKNOWN',
    `no engine is called "${printable(name, 60)}"${didYouMean(name, engineNames)}`,
    {
      remedy: `use one of: ${engineNames.join(', ')}`,
    },
  );
}

/** The first that answers. Throws what is wrong with the first, when none does. */
async function findBest(settings: EngineSettings): Promise<Engine> {
  let first: unknown;
  for (const name of engineNames.filter((one) => !isGuestKernel(one))) {
    const engine = await loaders[name](settings);
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
 * The engine that gives a sandbox its isolation. gVisor takes the place of crun, which runs bundles of ours as runsc does, and is podman's runtime.
 * Throws ENGINE_UNKNOWN, and ENGINE_CANNOT for an engine that cannot do it.
 */
export async function selectIsolating(
  { engine, isolation }: Pick<Profile, 'engine' | 'isolation'>,
  settings: EngineSettings,
): Promise<Engine> {
  if (engine === 'best') return isolation === 'process' ? findBest(settings) : selectEngine('runsc', settings);
  const selected = await selectEngine(engine, settings);
  if (isolation === 'process') return selected;
  if (selected.name === 'crun') return selectEngine('runsc', settings);
  if (selected.name === 'podman') return selectEngine('podman+runsc', settings);
  throw new CofferdamError(
    'ENGINE_CANNOT',
    `${engine} cannot enforce isolation: gvisor; limits and filter of runsc are proven where it takes crun's place, and below podman`,
    {
      remedy: 'use --engine crun with isolation: gvisor',
    },
  );
}
