// Owns where leaves stand: by cgroup version, by systemd, by where the caller itself runs.
import { test } from 'tap';
import { type CgroupHost, locateCgroups } from '../../lib/engine/cgroupPlace.ts';

const v2 = '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate';
const v1 = ['memory', 'pids', 'cpu,cpuacct']
  .map((names, i) => `${i} 23 0:${i} / /sys/fs/cgroup/${names} rw - cgroup cgroup rw,${names}`)
  .join('\n');

function hostOf(given: Partial<CgroupHost>): CgroupHost {
  return { mountinfo: v2, membership: '0::/\n', systemd: true, isDelegated: () => false, ...given };
}

const session = '0::/user.slice/user-1000.slice/session-3.scope\n';

test('version 1 has a folder for each controller, whatever init there is', async (t) => {
  const { version, folders, unit } = locateCgroups(1000, hostOf({ mountinfo: `${v1}\n${v2}` }));
  t.equal(version, 1);
  t.same(
    folders.map(({ path }) => path),
    ['memory', 'pids', 'cpu,cpuacct'].map((name) => `/sys/fs/cgroup/${name}/cofferdam/1000`),
  );
  t.equal(unit, undefined);
});

test('version 2 without systemd has one plain folder', async (t) => {
  const { folders, unit } = locateCgroups(0, hostOf({ systemd: false }));
  t.match(folders, [{ path: '/sys/fs/cgroup/cofferdam/0' }]);
  t.equal(unit, undefined);
});

test('under systemd root has a unit of its own, and needs nobody to move processes there', async (t) => {
  const { folders, unit } = locateCgroups(0, hostOf({ membership: '0::/system.slice/ssh.service\n' }));
  t.match(folders, [{ path: '/sys/fs/cgroup/cofferdam.slice/cofferdam-runs.service' }]);
  t.match(unit, {
    kind: 'runs',
    callers: [
      { group: '/user.slice', below: true },
      { group: '/system.slice/ssh.service', below: false },
    ],
  });
  t.equal(unit?.manager, undefined);
});

test('a user in a login session has the unit of its own systemd, which moves processes there', async (t) => {
  const { folders, unit } = locateCgroups(1000, hostOf({ membership: session, isDelegated: () => true }));
  const slice = '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service';
  t.match(folders, [{ path: `${slice}/cofferdam.slice/cofferdam-runs.service` }]);
  t.equal(unit?.manager, '/run/user/1000/systemd/private');
});

test('a service that was delegated to its user holds its own runs, from any group below it', async (t) => {
  const asked: string[] = [];
  const isDelegated = (name: string, path: string) => {
    asked.push(`${name} ${path}`);
    return true;
  };
  const place = (membership: string) => locateCgroups(1000, hostOf({ membership, isDelegated }));
  const whole = place('0::/system.slice/system-w.slice/w@a.service\n');
  t.match(whole.folders, [{ path: '/sys/fs/cgroup/system.slice/system-w.slice/w@a.service' }]);
  t.match(whole.unit, { kind: 'own', name: 'w@a.service' });
  t.same(place('0::/system.slice/system-w.slice/w@a.service/supervisor.group\n'), whole);
  t.equal(asked[0], 'w@a.service /sys/fs/cgroup/system.slice/system-w.slice/w@a.service');
});

test('init.scope and our own unit are nobody’s to make leaves in', async (t) => {
  for (const group of ['/init.scope', '/cofferdam.slice/cofferdam-runs.service/r1', '/']) {
    const { unit } = locateCgroups(0, hostOf({ membership: `0::${group}\n`, isDelegated: () => true }));
    t.equal(unit?.kind, 'runs', group);
  }
});

test('refuses hosts without the three controllers, and those that have some here and some there', async (t) => {
  for (const mountinfo of ['', v1.split('\n')[0] ?? '', `${v1.split('\n')[0]}\n${v2}`]) {
    t.throws(() => locateCgroups(0, hostOf({ mountinfo })), { code: 'HOST_UNPREPARED' });
  }
});
