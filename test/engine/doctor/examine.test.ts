import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import type { DoctorInput } from '../../../lib/engine/doctor/check.ts';
import { examine } from '../../../lib/engine/doctor/examine.ts';
import { hostConfigSchema } from '../../../lib/profile/hostConfig.ts';

function input(folder: string): DoctorInput {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: 'root',
    engine: 'crun',
    settings: hostConfigSchema.parse({}).engines,
    stores: [folder],
    disks: [folder],
    floor: 0,
    supervise: join(folder, 'supervise'),
    node: process.versions.node,
    images: ['base-tools'],
  };
}

test('every finding that is not ok says what to do, ids are unique, and one failure is enough', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-doctor-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { runs, findings } = await examine(input(folder));
  const ids = findings.map(({ id }) => id);
  t.same(ids, [...new Set(ids)]);
  for (const { id, level, remedy } of findings) t.equal(level !== 'ok', remedy !== undefined, id);
  t.match(
    findings.find(({ id }) => id === 'tools.supervise'),
    { level: 'fail', remedy: /bin\/setup/ },
  );
  t.match(
    findings.find(({ id }) => id === 'images'),
    { level: 'fail', remedy: 'sandbox image build python-tools' },
  );
  t.equal(runs, false);
});

test('a full disk is a failure that names the floor', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-doctor-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { findings } = await examine({ ...input(folder), disks: ['/'], floor: 2 ** 52 });
  t.match(
    findings.find(({ id }) => id === 'disk./'),
    { level: 'fail', seen: /floor/ },
  );
});
