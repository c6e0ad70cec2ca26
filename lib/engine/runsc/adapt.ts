// Owns our OCI spec → the spec that runsc gets: what it refuses or ignores is left out or said in another way. Pure.
import { dirname } from 'node:path';
import type { CofferdamError } from '../../base/errors.ts';
import { initTarget } from '../../spec/mounts.ts';
import type { IdMapping, OciMount, OciSpec } from '../../spec/types.ts';
import { runscSeccomp } from './seccomp.ts';

/**
 * Where the script puts what is mounted at the folder of our init: that init, which may be read here (guests cannot attach to it all
 * the same, because the filter refuses ptrace(2)), and what an execution needs. Of the run's own namespaces.
 */
export const toolsPlace = '/sys/fs/cgroup/tools';

export interface AdaptOptions {
  readonly cannot: (field: string, why: string) => CofferdamError;
}

/**
 * What the sentry does with a mount. It runs no set-id program as another user and opens no device of the host, wherever they lie.
 * Inodes are not counted: they are the sentry's memory, which the control group bounds.
 */
const honoured = /^(ro|rw|bind|nosuid|nodev|noexec|(size|mode|uid|gid)=[0-9a-z]+)$/;

function adaptMount(mount: OciMount): OciMount {
  const options = mount.options.filter((option) => honoured.test(option));
  const kept = { ...mount, options };
  if (!options.includes('bind')) return kept;
  if (mount.destination !== initTarget) return { ...kept, type: 'bind' };
  return { ...kept, type: 'bind', source: toolsPlace, destination: dirname(initTarget) };
}

/** The namespaces around runsc map the ids already; the sandbox's own are the same numbers (script.ts). */
function identity(id: number): IdMapping[] {
  return [0, id].map((same) => ({ containerID: same, hostID: same, size: 1 }));
}

function checkShape({ process, linux }: OciSpec, { cannot }: AdaptOptions): void {
  const kinds = [
    { maps: linux.uidMappings, inside: process.user.uid, field: 'linux.uidMappings' },
    { maps: linux.gidMappings, inside: process.user.gid, field: 'linux.gidMappings' },
  ];
  for (const { maps, inside, field } of kinds) {
    const [root, program] = maps;
    const expected = maps.length === 2 && root?.containerID === 0 && program?.containerID === inside;
    if (!expected || maps.some(({ size }) => size !== 1))
      throw cannot(field, 'only root inside and the program are mapped, one id each');
  }
  if (Object.values(process.capabilities).some((held) => held.length > 0))
    throw cannot('process.capabilities', 'only the empty set is given');
}

/**
 * The bundle's config.json for runsc. Left out because the sentry has nothing to do it with: masked and read-only paths (its
 * /proc and /sys are its own, and say nothing of the host), RLIMIT_NPROC (the control group bounds processes), crun's
 * annotation. Throws what `options.cannot` makes, and SPEC_INVALID.
 */
export function adaptSpec(spec: OciSpec, options: AdaptOptions): OciSpec {
  checkShape(spec, options);
  const { user } = spec.process;
  return {
    ...spec,
    process: { ...spec.process, rlimits: spec.process.rlimits.filter(({ type }) => type !== 'RLIMIT_NPROC') },
    mounts: spec.mounts.map(adaptMount),
    annotations: {},
    linux: {
      ...spec.linux,
      uidMappings: identity(user.uid),
      gidMappings: identity(user.gid),
      maskedPaths: [],
      readonlyPaths: [],
      seccomp: runscSeccomp(spec.linux.seccomp),
    },
  };
}
