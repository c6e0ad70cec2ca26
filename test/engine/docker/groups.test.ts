// Owns the proof of where a docker container waits: in the hierarchy of the run's groups, made by the daemon itself or by systemd.
import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { type CgroupParents, controllers } from '../../../lib/engine/cgroup.ts';
import { placeContainers } from '../../../lib/engine/docker/groups.ts';

const cannot = (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`);
const v2Mount = '30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';
const v1: CgroupParents = {
  version: 1,
  folders: controllers.map((name) => ({ controllers: [name], path: `/sys/fs/cgroup/${name}/cofferdam/0` })),
};
const runs = '/sys/fs/cgroup/cofferdam.slice/cofferdam-runs.service';
const v2: CgroupParents = { version: 2, folders: [{ controllers, path: runs }] };

test('on v1 beside the leaves of runs, in each hierarchy', async (t) => {
  const { groups, cgroupParent } = placeContainers(v1, { callerUid: 0, driver: 'cgroupfs', cannot }, '');
  t.equal(cgroupParent, '/cofferdam/docker');
  t.same(groups[0], {
    parent: '/sys/fs/cgroup/memory/cofferdam/0',
    container: ['/sys/fs/cgroup/memory/cofferdam/docker/', ''],
  });
  t.equal(groups.length, 3);
});

test('on v2 in a folder of the daemon, or in a slice of systemd', async (t) => {
  t.same(placeContainers(v2, { callerUid: 0, driver: 'cgroupfs', cannot }, v2Mount), {
    groups: [{ parent: runs, container: ['/sys/fs/cgroup/cofferdam/docker/', ''] }],
    cgroupParent: '/cofferdam/docker',
  });
  t.same(placeContainers(v2, { callerUid: 0, driver: 'systemd', cannot }, v2Mount), {
    groups: [{ parent: runs, container: ['/sys/fs/cgroup/cofferdam.slice/cofferdam-docker.slice/docker-', '.scope'] }],
    cgroupParent: 'cofferdam-docker.slice',
  });
});

test('refuses a host without the groups', async (t) => {
  const without: CgroupParents = { version: 2, folders: [] };
  for (const cgroups of [without, { ...v1, folders: v1.folders.slice(1) }])
    t.throws(() => placeContainers(cgroups, { callerUid: 0, driver: 'cgroupfs', cannot }, v2Mount), {
      code: 'ENGINE_CANNOT',
    });
});
