// Owns the proof of where a docker container waits: beside the leaves of runs.
import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { idPattern } from '../../../lib/base/ids.ts';
import { type CgroupParents, controllers } from '../../../lib/engine/cgroup.ts';
import { placeContainers } from '../../../lib/engine/docker/groups.ts';
import type { CgroupDriver } from '../../../lib/engine/types.ts';

const cannot = (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`);
const v1: CgroupParents = {
  version: 1,
  folders: controllers.map((name) => ({ controllers: [name], path: `/sys/fs/cgroup/${name}/cofferdam/0` })),
};
const runs = '/sys/fs/cgroup/cofferdam.slice/cofferdam-runs.service';
const v2: CgroupParents = { version: 2, folders: [{ controllers, path: runs }] };

const mountinfo = '30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
const place = (cgroups: CgroupParents, driver: CgroupDriver) =>
  placeContainers(cgroups, { callerUid: 0, driver, cannot }, mountinfo);

test('on v1 beside the leaves of runs, in each hierarchy', async (t) => {
  const { groups, cgroupParent } = place(v1, 'cgroupfs');
  t.equal(cgroupParent, '/cofferdam/docker');
  t.same(groups[0], {
    parent: '/sys/fs/cgroup/memory/cofferdam/0',
    container: ['/sys/fs/cgroup/memory/cofferdam/docker/', ''],
  });
  t.equal(groups.length, 3);
});

test('on v2 in a group among the leaves of runs, where the daemon makes groups itself', async (t) => {
  t.same(place(v2, 'cgroupfs'), {
    groups: [{ parent: runs, container: [`${runs}/docker.group/`, ''] }],
    cgroupParent: '/cofferdam.slice/cofferdam-runs.service/docker.group',
  });
  t.notMatch('docker.group', idPattern, 'no run has that id');
});

test('on v2 in a scope of the slice of all runs, where systemd makes them', async (t) => {
  t.same(place(v2, 'systemd'), {
    groups: [{ parent: runs, container: ['/sys/fs/cgroup/cofferdam.slice/docker-', '.scope'] }],
    cgroupParent: 'cofferdam.slice',
  });
});

test('refuses a host without the groups, on v1 one where systemd makes them, and groups of another mount', async (t) => {
  const code = 'ENGINE_CANNOT';
  const without: CgroupParents = { version: 2, folders: [] };
  for (const cgroups of [without, { ...v1, folders: v1.folders.slice(1) }])
    t.throws(() => place(cgroups, 'cgroupfs'), { code });
  t.throws(() => place(v1, 'systemd'), { code });
  for (const mounts of ['', mountinfo.replace('/sys/fs/cgroup', '/elsewhere')])
    t.throws(() => placeContainers(v2, { callerUid: 0, driver: 'systemd', cannot }, mounts), { code });
});
