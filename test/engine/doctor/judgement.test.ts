import { test } from 'tap';
import { ownGroup } from '../../../lib/engine/cgroupPlace.ts';
import { commonGroup } from '../../../lib/engine/doctor/cgroups.ts';
import { mapsAll } from '../../../lib/engine/doctor/ids.ts';
import { judgeRelease, judgeSeccomp, parseRelease } from '../../../lib/engine/doctor/kernel.ts';
import { judgeSwitches } from '../../../lib/engine/doctor/namespaces.ts';
import { floorOn } from '../../../lib/engine/doctor/storage.ts';
import { judgeNode } from '../../../lib/engine/doctor/tools.ts';

test('kernels from 5.11 on are fine', async (t) => {
  t.same(parseRelease('6.1.0-18-amd64'), [6, 1]);
  t.equal(judgeRelease('5.10.0-8-amd64').level, 'fail');
  t.equal(judgeRelease('5.11.0').level, 'ok');
  t.equal(judgeRelease('6.1.0').level, 'ok');
  t.equal(judgeRelease('something').level, 'fail');
});

test('seccomp needs the actions that our filter uses', async (t) => {
  t.equal(judgeSeccomp('kill_process kill_thread trap errno trace log allow').level, 'ok');
  t.match(judgeSeccomp('allow errno'), { level: 'fail', seen: 'no kill_process' });
  t.equal(judgeSeccomp(undefined).level, 'fail');
});

test('each switch that keeps a user from user namespaces is a failure with its own remedy', async (t) => {
  const open = { most: 15_000, debian: 1, ubuntu: 0 };
  const levels = (switches: Partial<typeof open>, uid: number) =>
    judgeSwitches({ ...open, ...switches }, uid).map(({ id, level }) => `${level} ${id}`);
  t.same(levels({}, 1000), ['ok namespaces.switches']);
  t.same(levels({ most: 0 }, 0), ['fail namespaces.most']);
  t.same(levels({ debian: 0 }, 1000), ['fail namespaces.debian']);
  t.same(levels({ debian: 0, ubuntu: 1 }, 0), ['ok namespaces.switches'], 'root is not held by these');
  t.same(levels({ ubuntu: 1 }, 1000), ['fail namespaces.apparmor']);
  t.same(
    judgeSwitches({ most: undefined, debian: undefined, ubuntu: undefined }, 1000).map(({ level }) => level),
    ['ok'],
  );
});

test('Node lines that are maintained and start fast are fine', async (t) => {
  for (const version of ['22.12.0', '24.21.0']) t.equal(judgeNode(version).level, 'ok', version);
  for (const version of ['18.20.4', '22.11.9', 'x']) t.equal(judgeNode(version).level, 'fail', version);
});

test('the first user namespace is told from one that maps some ids', async (t) => {
  t.ok(mapsAll('         0          0 4294967295\n'));
  t.notOk(mapsAll('         0       1000          1\n         1     100000      65536\n'));
});

test('the group above two places is found', async (t) => {
  t.equal(
    ownGroup('1:name=systemd:/x\n0::/user.slice/user-1000.slice/session-1.scope\n'),
    '/user.slice/user-1000.slice/session-1.scope',
  );
  t.equal(commonGroup('/user.slice/a', '/cofferdam/1000'), '/');
  t.equal(commonGroup('/a/b/c', '/a/b/d/e'), '/a/b');
  t.equal(commonGroup('/a/b', '/a/b/c'), '/a/b');
});

test('the floor for disks is not asked of a folder in memory, where a run keeps little', async (t) => {
  const [tmpfs, ext4] = [0x01021994, 0xef53];
  t.equal(floorOn(ext4, 2 ** 30), 2 ** 30);
  t.equal(floorOn(tmpfs, 2 ** 30), 2 ** 26);
  t.equal(floorOn(tmpfs, 0), 0, 'no floor is none');
});
