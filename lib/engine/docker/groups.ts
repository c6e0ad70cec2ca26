// Owns where a docker daemon makes the control groups of containers, which wait there to be moved into those of the run.
import { type CgroupParents, controllers, parentOf } from '../cgroup.ts';
import type { DockerScript } from './input.ts';

/** Below every controller's root, beside the leaves of runs: what docker makes in it, it removes. */
const folder = '/cofferdam/docker';

interface Wish {
  readonly callerUid: number;
  /** Makes what is thrown. */
  cannot(field: string, why: string): Error;
}

/** `--cgroup-parent`, and from where to where the container is moved. Throws what `cannot` makes. */
export function placeContainers(
  cgroups: CgroupParents,
  { callerUid, cannot }: Wish,
): Pick<DockerScript, 'groups' | 'cgroupParent'> {
  const suffix = `/cofferdam/${callerUid}`;
  const lacking = controllers.find((controller) => parentOf(cgroups, controller) === undefined);
  if (cgroups.version !== 1 || lacking !== undefined || cgroups.folders.some(({ path }) => !path.endsWith(suffix)))
    throw cannot('limits', 'its containers are bounded by the control groups v1 of the run, and there are none');
  const groups = cgroups.folders.map(({ path }) => {
    return { parent: path, containers: `${path.slice(0, -suffix.length)}${folder}` };
  });
  return { groups, cgroupParent: folder };
}
