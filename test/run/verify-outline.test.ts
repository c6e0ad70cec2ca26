// Tests what checks make of /dev and shared memory, with an outline of ours and without.
import { test } from 'tap';
import { allChecks } from '../../lib/run/verify/list.ts';
import { judge } from '../../lib/run/verify/verify.ts';
import { devFolder } from '../../lib/spec/dev.ts';
import { evidenceOf, factsOf } from './verify-scene.ts';

const root = '1 0 254:0 /image / ro,relatime - ext4 /dev/vda rw';
const dev = `2 1 254:0 /data/${devFolder()} /dev ro,nosuid,nodev,noexec,relatime - ext4 /dev/vda rw`;
const tmpfs = (id: number, device: string, target: string, size: string, options = 'rw,nosuid,nodev,noexec') =>
  `${id} 1 ${device} / ${target} ${options} - tmpfs tmpfs rw,${size}`;
// The default profile's 16m and 64m, 16384 files each.
const run = tmpfs(3, '0:44', '/run', 'size=81920k,nr_inodes=32768');
const outlined = [root, dev, run];
const ofItsOwn = [
  root,
  tmpfs(2, '0:42', '/dev', 'size=64k,nr_inodes=256'),
  tmpfs(3, '0:44', '/run', 'size=16384k,nr_inodes=16384'),
  tmpfs(4, '0:43', '/dev/shm', 'size=65536k,nr_inodes=16384'),
];
const host = factsOf({ mountinfo: '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:6 / /dev rw - devtmpfs dev rw\n' });

function level(id: string, lines: readonly string[], detail = '', engine = 'crun'): string {
  const check = allChecks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(id);
  const { expected } = evidenceOf({ name: 'ok', detail });
  const program = factsOf({ mountinfo: `${lines.join('\n')}\n` });
  return judge(check, evidenceOf({ name: 'ok', detail }, { host, program, expected: { ...expected, engine } })).level;
}

const details: Readonly<Record<string, string>> = { 'fs.shm-place': '0:44', 'fs.run-is-empty': 'shm' };
const all = [
  ...['fs.shm-size', 'fs.shm-flags', 'fs.shm-place', 'fs.run-size', 'fs.run-flags', 'fs.run-is-empty'],
  ...['fs.writable-places', 'fs.no-other-mounts', 'device.own-dev', 'device.own-shared-memory'],
];

test('with the outline, /run is judged for shared memory as well', async (t) => {
  for (const id of all) t.equal(level(id, outlined, details[id]), 'PASS', id);
  t.equal(level('device.listing', outlined, 'null,console'), 'PASS');
});

test('file systems of its own are as good for another engine, and not for those that take our bundle', async (t) => {
  for (const id of all)
    t.equal(level(id, ofItsOwn, id === 'fs.shm-place' ? '0:43' : '', 'podman'), 'PASS', `podman: ${id}`);
  for (const engine of ['crun', 'nerdctl']) t.equal(level('device.own-dev', ofItsOwn, '', engine), 'FAIL', engine);
  t.equal(level('fs.run-is-empty', ofItsOwn, 'shm', 'podman'), 'FAIL');
  // podman lacks this one.
  t.equal(level('device.listing', ofItsOwn, 'null,console', 'runsc'), 'FAIL');
});

test('what is not as the outline says fails', async (t) => {
  const withRun = (size: string, options?: string) => [root, dev, tmpfs(3, '0:44', '/run', size, options)];
  const cases: readonly (readonly [string, string, readonly string[], string?])[] = [
    ['/run has its own size alone', 'fs.run-size', withRun('size=16384k,nr_inodes=32768')],
    ['/run has no room for shared memory', 'fs.shm-size', withRun('size=16384k,nr_inodes=32768')],
    ['/run has too many files', 'fs.shm-size', withRun('size=81920k,nr_inodes=65536')],
    ['shared memory can be executed', 'fs.shm-flags', withRun('size=81920k,nr_inodes=32768', 'rw,nosuid,nodev')],
    ['/dev/shm leads elsewhere', 'fs.shm-place', outlined, '0:45'],
    ['more than shared memory in /run', 'fs.run-is-empty', outlined, 'shm,docker.sock'],
    ['a writable outline', 'device.own-dev', [root, dev.replace(' ro,', ' rw,'), run]],
    [
      'a writable outline',
      'fs.writable-places',
      [root, dev.replace(' ro,', ' rw,').replace('nodev', 'dev'), run, '9 1 0:9 / /x rw - tmpfs x rw'],
    ],
    ['another folder', 'device.own-dev', [root, dev.replace(devFolder(), 'dev-00000000'), run]],
    ['a mount on the link', 'device.own-dev', [...outlined, tmpfs(9, '0:50', '/dev/shm', 'size=1k')]],
    ['a mount where it leads', 'device.own-dev', [...outlined, tmpfs(9, '0:50', '/run/shm', 'size=1k')]],
    ['the host’s /run', 'device.own-shared-memory', [root, dev, run.replace('0:44', '8:1')]],
  ];
  for (const [what, id, lines, detail] of cases) t.equal(level(id, lines, detail), 'FAIL', `${id}: ${what}`);
});
