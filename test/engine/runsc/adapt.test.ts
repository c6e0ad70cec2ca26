// Owns the proof of what is left out of the spec for runsc, and that nothing else is.
import { join } from 'node:path';
import { test } from 'tap';
import { placeholderIds } from '../../../lib/spec/placeholders.ts';
import { validateSpec } from '../../../lib/spec/validate.ts';
import { matchGolden } from '../../golden.ts';
import { adapt, sampleTemplate } from './sample.ts';

const golden = join(import.meta.dirname, 'golden');

test('the adapted specs are what was reviewed, and valid', async (t) => {
  for (const mode of ['scratch', 'rw'] as const) {
    const spec = adapt(sampleTemplate(mode));
    t.doesNotThrow(() => validateSpec(spec));
    matchGolden(t, join(golden, `${mode}.json`), `${JSON.stringify(spec, null, 1)}\n`);
  }
});

test('ids are the same numbers inside, so that none of the host is left to fill in', async (t) => {
  const text = JSON.stringify(adapt(sampleTemplate()));
  for (const id of Object.values(placeholderIds)) t.notMatch(text, String(id));
  t.match(text, '"@@ARGV@@"');
});

test('what the sentry ignores is not claimed', async (t) => {
  const { mounts, process, annotations, linux } = adapt(sampleTemplate('rw'));
  t.same(annotations, {});
  t.same([...linux.maskedPaths, ...linux.readonlyPaths], []);
  t.notOk(process.rlimits.some(({ type }) => type === 'RLIMIT_NPROC'));
  t.notMatch(JSON.stringify(mounts), /nr_inodes|rnosuid|private/);
});

test('each place keeps its type, source, size, owner and access', async (t) => {
  const before = sampleTemplate('rw').mounts;
  const after = adapt(sampleTemplate('rw')).mounts;
  t.same(
    after.map(({ destination }) => destination),
    before.map(({ destination }) => (destination === '/.cofferdam/init' ? '/.cofferdam' : destination)),
    'only the folder of our init stands for it, of the run itself',
  );
  for (const [i, { destination, source, options }] of before.entries()) {
    if (destination !== '/.cofferdam/init') t.equal(after[i]?.source, source, destination);
    const kept = options.filter((option) => /^(ro|rw|noexec|nosuid|nodev|size=|uid=|gid=)/.test(option));
    for (const option of kept) t.ok(after[i]?.options.includes(option), `${destination} ${option}`);
  }
});

test('refuses maps of more than root and the program, and capabilities', async (t) => {
  const wide = sampleTemplate();
  wide.linux.uidMappings.push({ containerID: 5, hostID: 5, size: 1 });
  t.throws(() => adapt(wide), { code: 'ENGINE_CANNOT', message: /linux\.uidMappings/ });
  const able = sampleTemplate();
  able.process.capabilities.bounding.push('CAP_CHOWN');
  t.throws(() => adapt(able), { code: 'ENGINE_CANNOT', message: /capabilities/ });
});
