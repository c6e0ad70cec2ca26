// Owns the checks of writable places: each a tmpfs of its size, with its flags.
import { writablePlaces } from '../../../spec/mounts.ts';
import { type Check, harmless, noControl, outside, sees, verdict } from '../check.ts';
import type { Expected } from '../evidence.ts';
import { hasOutline, sharedTarget } from '../outline.ts';
import { type Mount, mountAt } from '../procfs.ts';

interface Place {
  readonly target: string;
  readonly bytes: number;
  readonly inodes: number;
}

/** /run when shared memory lies in it. */
function withShared({ profile: { tmpfs } }: Expected): Place {
  return { target: '/run', bytes: tmpfs.run + tmpfs.tmp, inodes: 2 * tmpfs.inodes };
}

interface NamedPlace {
  readonly name: string;
  readonly noexec: boolean;
  readonly of: (expected: Expected) => Place;
  /** What it is where /dev is an outline, if another. */
  readonly outlined?: (expected: Expected) => Place;
}

const places: readonly NamedPlace[] = [
  {
    name: 'tmp',
    noexec: true,
    of: ({ profile: { tmpfs } }) => ({ target: '/tmp', bytes: tmpfs.tmp, inodes: tmpfs.inodes }),
  },
  {
    name: 'shm',
    noexec: true,
    of: ({ profile: { tmpfs } }) => ({ target: '/dev/shm', bytes: tmpfs.tmp, inodes: tmpfs.inodes }),
    outlined: withShared,
  },
  {
    name: 'run',
    noexec: true,
    of: ({ profile: { tmpfs } }) => ({ target: '/run', bytes: tmpfs.run, inodes: tmpfs.inodes }),
    outlined: withShared,
  },
  {
    name: 'artifacts',
    noexec: true,
    of: ({ profile: { artifacts } }) => ({
      target: '/artifacts',
      bytes: artifacts.size,
      inodes: artifacts.maxCount + 1024,
    }),
  },
  {
    name: 'scratch',
    noexec: false,
    of: ({ profile: { workspace } }) => ({
      target: writableFolder(workspace.mode),
      bytes: workspace.size,
      inodes: workspace.inodes,
    }),
  },
];

/** The folder inside that is a tmpfs, may execute, and takes the probe. */
export function writableFolder(mode: Expected['profile']['workspace']['mode']): string {
  return writablePlaces(mode === 'task' ? 'scratch' : mode).home;
}

/** One of the places by its name, where /dev is no outline: `tmp`, `shm`, `run`, `artifacts`, `scratch`. Throws for another. */
export function placeOf(name: string, expected: Expected): Place & { readonly noexec: boolean } {
  const found = places.find((place) => place.name === name);
  if (found === undefined) throw new Error(`no place is called ${name}`);
  return { ...found.of(expected), noexec: found.noexec };
}

function optionBytes(mount: Mount): number {
  const text = mount.superOptions.find((option) => option.startsWith('size='))?.slice(5) ?? '';
  const match = /^([0-9]+)(k|m|g)?$/.exec(text);
  const factor = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2] ?? ''] ?? 1;
  return match === null ? Number.NaN : Number(match[1]) * factor;
}

const bounds: readonly Check[] = places.flatMap(({ name, noexec, of, outlined = of }): Check[] => [
  outside(`fs.${name}-size`, `${name}: a tmpfs of the profile's size and inodes`, harmless, ({ program, expected }) => {
    const { target, bytes, inodes } = (hasOutline(program) ? outlined : of)(expected);
    const mount = mountAt(program, target);
    if (mount?.type !== 'tmpfs') return verdict(false, `${target} is ${mount?.type ?? 'no mount'}`);
    // The kernel rounds up to whole pages.
    const fits =
      optionBytes(mount) === Math.ceil(bytes / 4096) * 4096 && mount.superOptions.includes(`nr_inodes=${inodes}`);
    return verdict(fits, mount.superOptions.filter((option) => /^(size|nr_inodes)=/.test(option)).join(' '));
  }),
  outside(
    `fs.${name}-flags`,
    `${name}: nosuid, nodev${noexec ? ', noexec' : ' (builds execute there)'}`,
    harmless,
    ({ program, expected }) => {
      const { target } = (hasOutline(program) ? outlined : of)(expected);
      const options = mountAt(program, target)?.options ?? [];
      const wanted = ['nosuid', 'nodev', ...(noexec ? ['noexec'] : [])];
      return verdict(
        wanted.every((option) => options.includes(option)),
        options.join(','),
      );
    },
  ),
]);

export const placeChecks: readonly Check[] = [
  ...bounds,
  sees(
    'fs.shm-place',
    '/dev/shm leads to the tmpfs that is looked at for it',
    noControl('outside it leads to its own, too'),
    (text, { program }) => text === mountAt(program, sharedTarget(program))?.device,
  ),
];
