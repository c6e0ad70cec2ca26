// Owns the proof that no cell of the matrix is said without one: each row has its acts or checks, each engine its entry.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { matrices, matrixRows } from '../../lib/engine/matrix.ts';
import { allChecks } from '../../lib/run/verify/list.ts';
import { install } from '../system/scene.ts';
import { entries } from './cells/engines.ts';
import { fieldProofs } from './cells/fields.ts';
import type { Proof } from './cells/proof.ts';
import { propertyProofs } from './cells/properties.ts';

const proofs: Readonly<Record<string, Proof>> = { ...fieldProofs, ...propertyProofs };

test('every row of the matrix has a proof, and there is no proof of a row that is none', async (t) => {
  const rows = matrixRows().map(({ name }) => name);
  t.same(Object.keys(proofs).sort(), [...rows].sort());
  for (const [name, { acts = [], checks = [], elsewhere = [], show }] of Object.entries(proofs)) {
    t.ok(acts.length + checks.length + elsewhere.length > 0 || show !== undefined, name);
    for (const file of elsewhere) t.ok(existsSync(join(install, file)), file);
  }
});

test('every engine of the matrix has an entry', async (t) => {
  t.same(Object.keys(entries).sort(), Object.keys(matrices).sort());
});

test('a proof by checks names checks that there are, and one at least that is shown to fail outside', async (t) => {
  for (const [name, { checks = [], acts = [], show }] of Object.entries(proofs)) {
    const found = checks.map((id) => allChecks.find((check) => check.id === id));
    t.notOk(found.includes(undefined), `${name}: ${checks.join(' ')}`);
    if (checks.length > 0 && acts.length === 0 && show === undefined && name !== 'private mounts')
      t.ok(
        found.some((check) => check?.control.harmless),
        name,
      );
  }
});
