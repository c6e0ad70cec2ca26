// Owns the proof of every cell of the matrix that says "enforced": on the real engine, by an act or by a check of verify.
import tap, { type Test } from 'tap';
import { type MatrixName, matrices, matrixRows } from '../../lib/engine/matrix.ts';
import { declareNeeds } from '../system/needs.ts';
import { type CellEngine, openEngine } from './cells/engines.ts';
import { fieldProofs } from './cells/fields.ts';
import type { Proof } from './cells/proof.ts';
import { propertyProofs } from './cells/properties.ts';
import { judgeAct, tell } from './cells/runs.ts';

declareNeeds('crun', 'python3', 'base-tools');
// Hundreds of runs, on whatever machine: a bound, not an expectation.
tap.setTimeout(1_800_000);

const proofs: Readonly<Record<string, Proof>> = { ...fieldProofs, ...propertyProofs };

type Levels = ReadonlyMap<string, { readonly level: string; readonly seen: string }>;

/** Nothing fails, and no more is skipped than the matrix admits. */
async function verify(t: Test, { start, chosen, holds }: CellEngine): Promise<Levels> {
  const { status, stdout, stderr } = await start(['verify', '--json', ...chosen, '--profile', 'default']).ended;
  if (stdout === '') throw new Error(stderr);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; level: string; seen: string }[] };
  const failed = checks.filter(({ level }) => level === 'FAIL').map(({ id, seen }) => `${id}: ${seen}`);
  t.strictSame([status, failed], [0, []], stderr);
  const held = checks.filter(({ level }) => level === 'PASS').length;
  t.ok(held >= holds, `${held} of verify's checks hold`);
  return new Map(checks.map(({ id, level, seen }) => [id, { level, seen }]));
}

/** What an engine lacks is skipped by verify with that sentence; one check at least has to hold. */
function judge(t: Test, checks: readonly string[], levels: Levels): void {
  if (checks.length === 0) return;
  const found = checks.map((id) => ({ id, ...(levels.get(id) ?? { level: 'none', seen: '' }) }));
  for (const { id, level, seen } of found) t.match(level, /^(PASS|SKIP)$/, `${id}: ${seen}`);
  t.ok(
    found.some(({ level }) => level === 'PASS'),
    JSON.stringify(found),
  );
}

for (const name of Object.keys(matrices) as MatrixName[]) {
  tap.test(`each cell of ${name} that is enforced is shown`, async (t) => {
    const engine = await openEngine(name);
    const levels = await verify(t, engine);
    const enforced = matrixRows().filter((row) => row.cells[name].by !== undefined);
    const told = await tell(
      engine,
      // In the order of the proofs.
      Object.keys(proofs).flatMap((row) => (enforced.some((one) => one.name === row) ? (proofs[row]?.acts ?? []) : [])),
    );
    for (const row of enforced) {
      const { by, lacks = [] } = row.cells[name];
      await t.test(`${row.name}: ${by}`, async (u) => {
        const { checks = [], acts = [], elsewhere = [], show } = proofs[row.name] ?? {};
        const lacking = lacks.flatMap((one) => one.checks);
        const held = checks.filter((id) => !lacking.includes(id));
        judge(u, held, levels);
        for (const act of acts) judgeAct(u, act, told);
        await show?.(u, engine, told);
        u.ok(
          held.length + acts.length + elsewhere.length > 0 || show !== undefined || lacking.length > 0,
          'it has a proof',
        );
      });
    }
  });
}
