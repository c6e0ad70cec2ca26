// Owns the keys that this version cannot enforce: asked for, they are refused, never ignored.
import { CofferdamError } from '../base/errors.ts';
import { keyText } from '../base/strict.ts';
import type { KeyPath } from '../base/yaml.ts';
import type { LoadedProfile } from './load.ts';
import type { Profile } from './schema.ts';

export interface Unenforced {
  readonly path: KeyPath;
  /** What of the key can't be enforced yet, for the documentation. */
  readonly what: string;
  /** What the profile asks for, or undefined when it asks for nothing of it. A default asks for nothing. */
  readonly asked: (profile: Profile) => string | undefined;
}

const listed = (entries: readonly unknown[]) => (entries.length === 0 ? undefined : `${entries.length} listed`);
const other = <T extends string>(value: T, ...enforced: readonly T[]) => (enforced.includes(value) ? undefined : value);

export const unenforced: readonly Unenforced[] = [
  {
    path: ['workspace', 'mode'],
    what: 'task',
    asked: ({ workspace }) => (workspace.mode === 'task' ? 'task' : undefined),
  },
  {
    path: ['limits', 'io'],
    what: 'all of it',
    asked: ({ limits }) => listed(Object.values(limits.io ?? {}).filter((bound) => bound !== undefined)),
  },
  { path: ['network', 'mode'], what: 'bridge', asked: ({ network }) => other(network.mode, 'none', 'proxy') },
  { path: ['services'], what: 'all of it', asked: ({ services }) => listed(services) },
];

/** Throws NOT_YET_ENFORCED, with all findings, when the profile asks for what this version can't enforce. */
export function refuseUnenforced(loaded: Pick<LoadedProfile, 'profile' | 'where'>): void {
  const lines = unenforced.flatMap(({ path, asked }) => {
    const value = asked(loaded.profile);
    return value === undefined ? [] : [`${loaded.where(path)}  ${keyText(path)}: not yet enforced (${value})`];
  });
  if (lines[0] !== undefined) throw new CofferdamError('NOT_YET_ENFORCED', lines[0], { details: lines });
}
