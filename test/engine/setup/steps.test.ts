import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { egressUserSteps, subidStep, systemUserStep } from '../../../lib/engine/setup/accountSteps.ts';
import { favoursMoves, strayControllers } from '../../../lib/engine/setup/cgroupSteps.ts';
import { renderFolders } from '../../../lib/engine/setup/egressStep.ts';
import { folderStep } from '../../../lib/engine/setup/folderStep.ts';
import { daemonUnits, hostPackages, missingPackages, packageNames } from '../../../lib/engine/setup/packages.ts';
import { runStep, type Step } from '../../../lib/engine/setup/step.ts';
import { parseUsers, renderUnit, usersStep } from '../../../lib/engine/setup/unitStep.ts';
import { install } from '../../spec/samples.ts';

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-setup-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A step whose host is one variable. */
function fakeStep(mends: boolean, optional?: true): Step & { applied: number } {
  const step = {
    id: 'x',
    title: 'a thing',
    applied: 0,
    ...(optional === undefined ? {} : { optional }),
    missing: async () => (step.applied > 0 && mends ? undefined : 'it'),
    apply: async () => {
      step.applied++;
    },
  };
  return step;
}

test('a step is done once, and already there the second time', async (t) => {
  const step = fakeStep(true);
  t.match(await runStep(step, false), { state: 'done', text: 'it' });
  t.match(await runStep(step, false), { state: 'already' });
  t.equal(step.applied, 1);
});

test('with check nothing is changed', async (t) => {
  const step = fakeStep(true);
  t.match(await runStep(step, true), { state: 'missing', text: 'it' });
  t.equal(step.applied, 0);
});

test('refuses to believe a step whose host still lacks it, and passes over one that only costs speed', async (t) => {
  await t.rejects(runStep(fakeStep(false), false), { code: 'HOST_UNPREPARED', message: /a thing: still missing: it/ });
  t.match(await runStep(fakeStep(false, true), false), { state: 'failed' });
});

test('packages that are not installed are named, half-removed ones too', async (t) => {
  const dpkg = 'crun installed\ngit config-files\n';
  t.same(missingPackages(['crun', 'git', 'tini'], dpkg), ['git', 'tini']);
  t.ok(packageNames(true).length > packageNames(false).length);
  const names = hostPackages.map(({ name }) => name);
  t.same(names, [...new Set(names)], 'each stands once');
  t.same(daemonUnits(['git', 'squid']), ['squid.service'], 'whose daemon must not start by itself');
});

test('folders are made with the mode that others rely on, whatever the umask', async (t) => {
  const folder = join(folderOf(t), 'a', 'b');
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const step = folderStep([folder]);
  t.match(await runStep(step, false), { state: 'done' });
  t.equal(statSync(folder).mode & 0o7777, 0o755);
  chmodSync(folder, 0o777);
  t.match(await runStep(step, true), { state: 'missing' });
});

test('refuses subordinate ids that are given twice', async (t) => {
  const folder = folderOf(t);
  const files = { passwd: join(folder, 'passwd'), subuid: join(folder, 'subuid'), subgid: join(folder, 'subgid') };
  writeFileSync(files.passwd, 'mia:x:1000:1000::/:/bin/sh\n');
  writeFileSync(files.subuid, 'mia:100000:65536\nzoe:100000:65536\n');
  writeFileSync(files.subgid, 'mia:100000:65536\n');
  await t.rejects(runStep(subidStep('mia', files), false), { code: 'HOST_UNPREPARED', message: /given twice/ });
  writeFileSync(files.subuid, 'mia:100000:65536\n');
  t.match(await runStep(subidStep('mia', files), false), { state: 'already' });
  writeFileSync(files.subgid, '');
  t.match(await runStep(subidStep('mia', files), true), {
    state: 'missing',
    text: `no range of 65536 in ${files.subgid}`,
  });
  for (const step of [systemUserStep(files), ...egressUserSteps(files)])
    t.match(await runStep(step, true), { state: 'missing' });
});

test('a stray controller is one that stayed on cgroup2 while memory is on v1', async (t) => {
  const v1 = '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';
  const v2 = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';
  t.same(strayControllers(v1 + v2, 'hugetlb rdma\n'), ['hugetlb', 'rdma']);
  t.same(strayControllers(v1 + v2, '\n'), []);
  t.same(strayControllers(v2, 'memory pids\n'), [], 'all of them on v2');
});

test('favordynmods is read from the options of the cgroup2 mount', async (t) => {
  t.equal(favoursMoves('1 2 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate,favordynmods'), true);
  t.equal(favoursMoves('1 2 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate'), false);
  t.equal(favoursMoves('1 2 0:3 / /tmp rw - tmpfs tmpfs rw'), undefined);
});

test('prepared users are remembered, each once, and lines that are no user names are passed over', async (t) => {
  const file = join(folderOf(t), 'users');
  await runStep(usersStep('mia', file), false);
  await runStep(usersStep('ada', file), false);
  t.match(await runStep(usersStep('mia', file), false), { state: 'already' });
  t.equal(readFileSync(file, 'utf8'), 'ada\nmia\n');
  t.same(parseUsers('mia\n../x\n-rf\n\nada\n'), ['mia', 'ada']);
});

test('the unit names this installation', async (t) => {
  const template = readFileSync(join(install, 'systemd/cofferdam-host.service'), 'utf8');
  t.match(renderUnit(template, '/opt/cofferdam'), 'ExecStart=/opt/cofferdam/bin/sandbox setup --boot\n');
  t.notMatch(renderUnit(template, '/opt/cofferdam'), '@INSTALL@');
});

test('the units of the way out name Node and this installation, and run nothing as root', async (t) => {
  for (const [name, user] of Object.entries({ egress: 'cofferdam-bridge', proxy: 'cofferdam-proxy' })) {
    const template = readFileSync(join(install, `systemd/cofferdam-${name}.service`), 'utf8');
    const unit = renderUnit(template, '/opt/cofferdam', '/opt/node');
    t.match(unit, 'ExecStart=/opt/node /opt/cofferdam/dist/bin/egress-service.cjs ');
    t.notMatch(unit, /@[A-Z]+@/);
    t.match(unit, new RegExp(`^User=${user}$`, 'm'));
    t.match(unit, /^CapabilityBoundingSet=$/m);
    t.throws(() => renderUnit(template, '/opt/cofferdam', '/opt/a b'), { code: 'HOST_UNPREPARED' });
  }
});

test("each caller's folder is theirs and the bridge's; their log is the bridge's, and theirs to read", async (t) => {
  const lines = renderFolders([{ name: 'mia', uid: 1000, gid: 100 }]).split('\n');
  t.ok(lines.includes('d /run/cofferdam/egress/callers/1000 0700 1000 100 -'));
  t.ok(lines.includes('a /run/cofferdam/egress/callers/1000 - - - - u:cofferdam-bridge:-wx'));
  t.ok(lines.includes('d /var/lib/cofferdam/egress/1000 0700 cofferdam-bridge cofferdam-bridge -'));
  t.ok(lines.includes('a /var/lib/cofferdam/egress/1000 - - - - u:1000:r-x'));
});

test('refuses an installation whose path a unit would read as something else', async (t) => {
  for (const path of ['/opt/a b', '/opt/%h', '/opt/a\nExecStart=/bin/x', 'opt']) {
    t.throws(() => renderUnit('@INSTALL@', path), CofferdamError, path);
    t.throws(() => renderUnit('@INSTALL@', path), { code: 'HOST_UNPREPARED' });
  }
});
