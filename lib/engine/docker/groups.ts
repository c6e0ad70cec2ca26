// Owns where a docker daemon makes the control groups of containers, which wait there to be moved into those of the run.
import { readTextIfPresent } from '../../base/files.ts';
import { type CgroupParents, controllers, parentOf, parseCgroupMounts } from '../cgroup.ts';
import type { CgroupDriver } from '../types.ts';
import type { DockerGroup, DockerScript } from './input.ts';

/** Below every controller's root, beside the leaves of runs: what docker makes in it, it removes. */
const folder = '/cofferdam/docker';

/** The same with systemd, which makes a slice where its name says. */
const slice = 'cofferdam-docker.slice';
const sliceFolder = `/cofferdam.slice/${slice}`;

interface Wish {
  readonly callerUid: number;
  readonly driver: CgroupDriver;
  /** Makes what is thrown. */
  cannot(field: string, why: string): Error;
}

type Placed = Pick<DockerScript, 'groups' | 'cgroupParent'>;

function placeOnV2(path: string, point: string, driver: CgroupDriver): Placed {
  const container: DockerGroup['container'] =
    driver === 'systemd' ? [`${point}${sliceFolder}/docker-`, '.scope'] : [`${point}${folder}/`, ''];
  return { groups: [{ parent: path, container }], cgroupParent: driver === 'systemd' ? slice : folder };
}

/** `--cgroup-parent`, and from where to where the container is moved. Throws what `cannot` makes. */
export function placeContainers(
  cgroups: CgroupParents,
  { callerUid, driver, cannot }: Wish,
  mountinfo = readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '',
): Placed {
  const suffix = `/cofferdam/${callerUid}`;
  const none = cannot('limits', 'its containers are bounded by the control groups of the run, and there are none');
  if (controllers.some((controller) => parentOf(cgroups, controller) === undefined)) throw none;
  if (cgroups.version === 2) {
    const [only] = cgroups.folders;
    const { v2 } = parseCgroupMounts(mountinfo);
    if (only === undefined || v2 === undefined) throw none;
    return placeOnV2(only.path, v2, driver);
  }
  if (cgroups.folders.some(({ path }) => !path.endsWith(suffix))) throw none;
  const groups = cgroups.folders.map(({ path }): DockerGroup => {
    return { parent: path, container: [`${path.slice(0, -suffix.length)}${folder}/`, ''] };
  });
  return { groups, cgroupParent: folder };
}
