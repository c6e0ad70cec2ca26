import { test } from 'tap';
import { lowerForCrun } from '../../lib/engine/crun.ts';
import { buildSpec } from '../../lib/spec/build.ts';
import { sampleRequest, shippedProfile } from '../spec/samples.ts';

const sampleSpec = () => buildSpec(sampleRequest(shippedProfile('base-tools')));

const covers = { empty: '/var/lib/cofferdam/empty', sys: '/var/lib/cofferdam/sys' };
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

test('the section beside the compiled filter lets nothing run', (t) => {
  t.same(lowerForCrun(sampleSpec(), false, masks).linux.seccomp, { defaultAction: 'SCMP_ACT_KILL_PROCESS' });
  t.end();
});
