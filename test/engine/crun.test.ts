import { test } from 'tap';
import { lowerForCrun } from '../../lib/engine/crun.ts';
import { buildSpec } from '../../lib/spec/build.ts';
import { sampleRequest, shippedProfile } from '../spec/samples.ts';

const sampleSpec = () => buildSpec(sampleRequest(shippedProfile('base-tools')));

const masks = { empty: '/var/lib/cofferdam/empty', folders: ['/proc/bus', '/sys/firmware'] };

test('a hidden folder of this host is covered by the empty one, read-only, and every other stays with crun', (t) => {
  const spec = sampleSpec();
  const { mounts, linux } = lowerForCrun(spec, false, masks);
  const added = mounts.slice(spec.mounts.length);
  t.same(
    added.map(({ destination, source, type }) => [destination, source, type]),
    masks.folders.map((folder) => [folder, masks.empty, 'none']),
  );
  for (const { options } of added)
    for (const flag of ['bind', 'private', 'ro', 'nosuid', 'nodev']) t.ok(options.includes(flag));
  t.same([...linux.maskedPaths, ...masks.folders].sort(), [...spec.linux.maskedPaths].sort());
  t.end();
});

test('the section beside the compiled filter lets nothing run', (t) => {
  t.same(lowerForCrun(sampleSpec(), false, masks).linux.seccomp, { defaultAction: 'SCMP_ACT_KILL_PROCESS' });
  t.end();
});
