// Owns where a docker daemon makes the control groups of containers, which wait there to be moved into those of the run.
import { join, relative } from 'node:path';
import { readTextIfPresent } from '../../base/files.ts';
import { type CgroupParents, controllers, parentOf, parseCgroupMounts } from '../cgroup.ts';
import type { CgroupDriver } from '../types.ts';
import type { DockerGroup, DockerScript } from './input.ts';

/** On v1, below every controller's root, beside the leaves of runs: what docker makes in it, it removes. */
const folder = '/cofferdam/docker';

/** On v2 among the leaves of runs, where controllers are handed down. The dot keeps it from being the id of a run. */
const groupName = 'docker.group';

/** Of systemd, which bounds all runs (cofferdam-runs.service is in it, too); a container is a scope there, until it is empty. */
const slice = 'cofferdam.slice';

interface Wish {
  readonly callerUid: number;
  readonly driver: CgroupDriver;
  /** Makes what is thrown. */
  cannot(field: string, why: string): Error;
}

type Placed = Pick<DockerScript, 'groups' | 'cgroupParent'>;

function placeOnV2(path: string, point: string, driver: CgroupDriver): Placed {
  const bySystemd = driver === 'systemd';
  const container: DockerGroup['container'] = bySystemd
    ? [join(point, slice, 'docker-'), '.scope']
    : [`${join(path, groupName)}/`, ''];
  const cgroupParent = bySystemd ? slice : `/${relative(point, join(path, groupName))}`;
  return { groups: [{ parent: path, container }], cgroupParent };
}

/** `--cgroup-parent`, and from where to where the container is moved. Throws what `cannot` makes. */
export function placeContainers(
  cgroups: CgroupParents,
  { callerUid, driver, cannot }: Wish,
  mountinfo = readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '',
): Placed {
  const none = cannot('limits', 'its containers are bounded by the control groups of the run, and there are none');
  if (controllers.some((controller) => parentOf(cgroups, controller) === undefined)) throw none;
  if (cgroups.version === 2) {
    const [only] = cgroups.folders;
    const { v2 } = parseCgroupMounts(mountinfo);
    if (only === undefined || v2 === undefined || !only.path.startsWith(`${v2}/`)) throw none;
    return placeOnV2(only.path, v2, driver);
  }
  const suffix = `/cofferdam/${callerUid}`;
  if (driver !== 'cgroupfs' || cgroups.folders.some(({ path }) => !path.endsWith(suffix))) throw none;
  const groups = cgroups.folders.map(({ path }): DockerGroup => {
    return { parent: path, container: [`${path.slice(0, -suffix.length)}${folder}/`, ''] };
  });
  return { groups, cgroupParent: folder };
}
