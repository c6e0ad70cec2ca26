// Owns the proof of where a docker container waits: beside the leaves of runs.
import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { type CgroupParents, controllers } from '../../../lib/engine/cgroup.ts';
import { placeContainers } from '../../../lib/engine/docker/groups.ts';

const cannot = (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`);
const v1: CgroupParents = {
  version: 1,
  folders: controllers.map((name) => ({ controllers: [name], path: `/sys/fs/cgroup/${name}/cofferdam/0` })),
};
const runs = '/sys/fs/cgroup/cofferdam.slice/cofferdam-runs.service';
const v2: CgroupParents = { version: 2, folders: [{ controllers, path: runs }] };

test('on v1 beside the leaves of runs, in each hierarchy', async (t) => {
  const { groups, cgroupParent } = placeContainers(v1, { callerUid: 0, cannot });
  t.equal(cgroupParent, '/cofferdam/docker');
  t.same(groups[0], {
    parent: '/sys/fs/cgroup/memory/cofferdam/0',
    containers: '/sys/fs/cgroup/memory/cofferdam/docker',
  });
  t.equal(groups.length, 3);
});

test('refuses a host without the groups, and one whose groups are v2', async (t) => {
  const without: CgroupParents = { version: 2, folders: [] };
  for (const cgroups of [without, v2, { ...v1, folders: v1.folders.slice(1) }])
    t.throws(() => placeContainers(cgroups, { callerUid: 0, cannot }), {
      code: 'ENGINE_CANNOT',
    });
});
