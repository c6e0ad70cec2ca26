// Owns what every engine that takes flags expects of a spec: our init first, the program's arguments last, no capability.
import type { CofferdamError } from '../../base/errors.ts';
import { initTarget } from '../../spec/mounts.ts';
import type { OciMount, OciSpec } from '../../spec/types.ts';

/** Makes the refusal for a field that has no flag. */
export type Cannot = (field: string, why: string) => CofferdamError;

/** Mounted by an engine itself for every container, as the spec wants them or with less. */
const kernelMounts: Readonly<Record<string, string>> = {
  '/proc': 'proc',
  '/dev': 'tmpfs',
  '/dev/pts': 'devpts',
  '/sys': 'sysfs',
};

/** Those that a flag must make. */
export function ownMounts(spec: OciSpec): OciMount[] {
  return spec.mounts.filter(({ destination, type }) => kernelMounts[destination] !== type);
}

/** Throws what `cannot` makes for a spec that says more than flags lower. */
export function checkShape({ process, linux, mounts }: OciSpec, cannot: Cannot): void {
  if (process.args[0] !== initTarget || process.args.at(-1) !== '@@ARGV@@')
    throw cannot('process.args', 'only our init and the arguments fit');
  const owners = mounts.flatMap(({ options: given }) => given.filter((option) => /^[ug]id=/.test(option)));
  const { uid, gid } = process.user;
  if (owners.some((owner) => owner !== `uid=${uid}` && owner !== `gid=${gid}`))
    throw cannot('mounts', 'a tmpfs belongs to the program');
  if (Object.values(process.capabilities).flat().length > 0)
    throw cannot('process.capabilities', 'only the empty set is lowered');
  const has = linux.namespaces.map(({ type }) => type);
  const wanted = ['pid', 'ipc', 'uts', 'network', 'mount', 'cgroup', 'user'];
  if (wanted.some((type) => !has.includes(type))) throw cannot('linux.namespaces', 'it always makes all of them');
}
