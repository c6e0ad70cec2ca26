// Owns the list of engines, and finding one by its name.
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { crunEngine } from './crun.ts';
import { podmanEngine } from './podman.ts';
import type { Engine } from './types.ts';

/** The first is the default. */
export const engines: readonly Engine[] = [crunEngine, podmanEngine];

/** The engine called `name`. Throws ENGINE_UNKNOWN with the nearest names. */
export function selectEngine(name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  if (found !== undefined) return found;
  const known = engines.map((engine) => engine.name);
  throw new CofferdamError('ENGINE_UNKNOWN', `no engine is called "${printable(name, 60)}"${didYouMean(name, known)}`, {
    remedy: `use one of: ${known.join(', ')}`,
  });
}
