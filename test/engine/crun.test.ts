import { test } from 'tap';
import { bundleForCrun, lowerForCrun } from '../../lib/engine/crun.ts';
import { buildSpec } from '../../lib/spec/build.ts';
import { sampleRequest, shippedProfile } from '../spec/samples.ts';

const sampleSpec = () => buildSpec(sampleRequest(shippedProfile('base-tools')));

const covers = { empty: '/var/lib/cofferdam/empty', dev: '/var/lib/cofferdam/dev', sys: '/var/lib/cofferdam/sys' };
const masks = { covers, hidden: ['/proc/bus'], shown: ['/sys/devices/system/cpu'] };

test('a hidden folder of this host is covered by the empty one, read-only, and every other stays with crun', (t) => {
  const spec = sampleSpec();
  const { mounts, linux } = lowerForCrun(spec, false, masks);
  const added = mounts.at(-1);
  t.match(added, { destination: '/proc/bus', source: covers.empty, type: 'none' });
  for (const flag of ['bind', 'private', 'ro', 'nosuid', 'nodev']) t.ok(added?.options.includes(flag));
  const proc = spec.linux.maskedPaths.filter((path) => path.startsWith('/proc/'));
  t.same([...linux.maskedPaths, '/proc/bus'].sort(), proc.sort());
  t.end();
});

test('of /sys there is an outline of ours and, read-only, what the host shows of it', (t) => {
  const { mounts } = lowerForCrun(sampleSpec(), false, masks);
  t.notOk(mounts.some(({ type }) => type === 'sysfs'));
  const found = mounts.filter(({ destination }) => destination.startsWith('/sys'));
  t.same(
    found.map(({ destination, source }) => [destination, source]),
    [
      ['/sys', covers.sys],
      ['/sys/devices/system/cpu', '/sys/devices/system/cpu'],
    ],
  );
  for (const { options } of found)
    for (const flag of ['bind', 'private', 'ro', 'noexec', 'nosuid', 'nodev']) t.ok(options.includes(flag));
  t.end();
});

test('of /dev there is an outline of ours, nodes of the host one by one, and devpts; /run has the bounds of shared memory, too', (t) => {
  const spec = sampleSpec();
  const { mounts } = lowerForCrun(spec, false, masks);
  const found = mounts.filter(({ destination }) => destination === '/dev' || destination.startsWith('/dev/'));
  t.same(
    found.map(({ destination, source }) => [destination, source]),
    [
      ['/dev', covers.dev],
      ...['null', 'zero', 'full', 'tty', 'random', 'urandom'].map((name) => [`/dev/${name}`, `/dev/${name}`]),
      ['/dev/pts', 'devpts'],
    ],
  );
  for (const flag of ['bind', 'private', 'ro', 'noexec', 'nosuid', 'nodev']) t.ok(found[0]?.options.includes(flag));
  for (const { options } of found.slice(1, 7)) t.same(options, ['bind', 'private', 'nosuid', 'noexec', 'rw']);
  const run = (all: typeof mounts) => all.find(({ destination }) => destination === '/run')?.options ?? [];
  const bounds = (all: typeof mounts) => run(all).filter((option) => /^(size|nr_inodes)=/.test(option));
  t.same(bounds(spec.mounts), [`size=${16 * 2 ** 20}`, 'nr_inodes=16384']);
  t.same(bounds(mounts), [`size=${(16 + 64) * 2 ** 20}`, 'nr_inodes=32768']);
  t.same(
    run(mounts).filter((option) => !option.includes('=')),
    run(spec.mounts).filter((option) => !option.includes('=')),
    'with the flags that it has',
  );
  t.end();
});

test('a plan is as old as the folders that it mounts', (t) => {
  const { folders } = bundleForCrun({ spec: sampleSpec(), covers }, false);
  for (const folder of [...Object.values(covers), '/sys/devices/system']) t.ok(folders.includes(folder), folder);
  t.end();
});

test('the section beside the compiled filter lets nothing run', (t) => {
  t.same(lowerForCrun(sampleSpec(), false, masks).linux.seccomp, { defaultAction: 'SCMP_ACT_KILL_PROCESS' });
  t.end();
});
