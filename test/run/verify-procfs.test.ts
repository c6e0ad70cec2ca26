// Tests reading the forms of /proc: mounts that cover others, escaped paths, groups, limits.
import { test } from 'tap';
import {
  environment,
  interfaceNames,
  mountAt,
  parseCgroups,
  parseIdMap,
  parseMounts,
  rlimit,
  statusField,
  terminalOf,
  visibleMounts,
} from '../../lib/run/verify/procfs.ts';
import { factsOf } from './verify-scene.ts';

const mountinfo = `20 1 254:0 /images/a\\040b/rootfs / ro,relatime - ext4 /dev/vda rw
21 20 0:46 / /sys/fs/cgroup rw,nosuid - tmpfs cgroup rw,size=1024k
22 21 0:39 / /sys/fs/cgroup/pids ro,nosuid shared:4 - cgroup pids rw,pids
23 21 0:89 / /sys/fs/cgroup ro,relatime - tmpfs tmpfs rw,size=0k
24 20 0:55 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=65536k,nr_inodes=16384
`;

test('mountinfo is read with its escapes, options and propagation', async (t) => {
  const [root, , pids] = parseMounts(mountinfo);
  t.match(root, {
    root: '/images/a b/rootfs',
    target: '/',
    options: ['ro', 'relatime'],
    type: 'ext4',
    propagation: [],
  });
  t.match(pids, { propagation: ['shared:4'], type: 'cgroup', superOptions: ['rw', 'pids'] });
});

test('a covered mount and what stands on it are out of sight; what covers it is seen', async (t) => {
  const seen = visibleMounts(factsOf({ mountinfo }));
  t.strictSame(
    seen.map(({ id }) => id),
    ['20', '23', '24'],
  );
  t.equal(mountAt(factsOf({ mountinfo }), '/sys/fs/cgroup')?.id, '23');
  t.equal(mountAt(factsOf({ mountinfo }), '/run'), undefined);
});

test('status, limits, maps, groups, environment, interfaces and terminal are read', async (t) => {
  const facts = factsOf({
    status: 'Name:\tx\nSeccomp:\t2\n',
    limits:
      'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 4096                 files\n',
    environ: 'A=1=2\0B=\0',
    'net/dev': 'Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0: 1 1\n',
    stat: '7 (a) b) S 1 7 5 34816 7 0',
  });
  t.equal(statusField(facts, 'Seccomp'), '2');
  t.throws(() => statusField(facts, 'NoNewPrivs'));
  t.equal(rlimit(facts, 'Max open files'), '1024 4096');
  t.throws(() => rlimit(facts, 'Max file size'));
  t.strictSame(parseIdMap('         0       1000          1\n'), [{ containerID: 0, hostID: 1000, size: 1 }]);
  t.strictSame(
    [...parseCgroups('4:cpu,cpuacct:/a:b\n0::/c\n')],
    [
      ['cpu', '/a:b'],
      ['cpuacct', '/a:b'],
      ['', '/c'],
    ],
  );
  t.strictSame(
    [...environment(facts)],
    [
      ['A', '1=2'],
      ['B', ''],
    ],
  );
  t.strictSame(interfaceNames(facts), ['lo', 'eth0']);
  t.strictSame(terminalOf(facts), { session: 5, terminal: 34816 });
});
