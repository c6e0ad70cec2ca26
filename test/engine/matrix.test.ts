import { test } from 'tap';
import { renderEnginesDoc } from '../../lib/engine/matrix/document.ts';
import {
  cellWord,
  lacksCheck,
  type MatrixName,
  matrices,
  matrixRows,
  refuseImpossible,
} from '../../lib/engine/matrix.ts';
import { profileSchema } from '../../lib/profile/schema.ts';
import { allChecks } from '../../lib/run/verify/list.ts';

const parsed = (file: object) => profileSchema.parse(file);
const asking = { callerUid: 0, collectsArtifacts: false };
const names = Object.keys(matrices) as MatrixName[];

test('the default profile is one that every engine can enforce for root', async (t) => {
  for (const name of names) t.doesNotThrow(() => refuseImpossible(name, parsed({}), asking), name);
});

test('crun enforces all there is', async (t) => {
  for (const { name, cells } of matrixRows()) t.equal(cellWord(cells.crun), 'yes', name);
});

test('refuses what an engine cannot do, naming field, engine and those that can', async (t) => {
  const bad = [
    { field: /workspace\.mode: rw/, profile: { workspace: { mode: 'rw' } } },
    { field: /workspace\.mode: copy/, profile: { workspace: { mode: 'copy' } } },
    { field: /limits\.enforce: best-effort/, profile: { limits: { enforce: 'best-effort' } } },
    { field: /mounts\[0\]\.mode: rw/, profile: { mounts: [{ source: '/srv/x', target: '/opt/x', mode: 'rw' }] } },
  ];
  for (const { field, profile } of bad) {
    const refuse = () => refuseImpossible('docker', parsed(profile), asking);
    t.throws(refuse, { code: 'ENGINE_CANNOT', message: field, remedy: 'use --engine crun' });
    t.throws(refuse, { message: /^docker cannot enforce .*: .*; crun(, podman and nerdctl| and podman) can$/ });
  }
  const ask = (more: object) => () => refuseImpossible('docker', parsed({}), { ...asking, ...more });
  t.throws(ask({ collectsArtifacts: true }), { code: 'ENGINE_CANNOT', message: /artifacts/ });
  t.throws(ask({ callerUid: 1000 }), { code: 'ENGINE_CANNOT', message: /the uid 1000 of the caller/ });
});

test('an engine that cannot either is not recommended', async (t) => {
  const profile = parsed({ workspace: { mode: 'rw' }, limits: { memory: '32m' } });
  t.throws(() => refuseImpossible('docker', profile, asking), { message: /; crun and nerdctl can$/ });
});

test('every check that an engine lacks is one of verify, and no engine is excused from one without a sentence', async (t) => {
  const known = new Set(allChecks.map(({ id }) => id));
  const lacking = names.flatMap((name) => matrixRows().flatMap(({ cells }) => cells[name].lacks ?? []));
  for (const { why, checks } of lacking) {
    t.match(why, /^[a-z+]+('s)?[: ].{20,}/);
    for (const check of checks) t.ok(known.has(check), check);
  }
  t.equal(lacksCheck('crun', 'identity.uid-map'), undefined);
  t.match(lacksCheck('docker', 'identity.uid-map'), /same ids for every container/);
  t.equal(lacksCheck('no-such-engine', 'identity.uid-map'), undefined);
});

test('the document has every row, and says what it refuses', async (t) => {
  const text = renderEnginesDoc();
  for (const { name } of matrixRows()) t.match(text, `| ${name} |`);
  t.match(text, /^- refused: artifacts/m);
});
