// Owns the proof of every cell of the matrix that says "enforced": on the real engine, by an act or by a check of verify.
import tap, { type Test } from 'tap';
import { type MatrixName, matrices, matrixRows } from '../../lib/engine/matrix.ts';
import { declareNeeds } from '../system/needs.ts';
import { type CellEngine, openEngine } from './cells/engines.ts';
import { fieldProofs } from './cells/fields.ts';
import { type Proof, perform } from './cells/proof.ts';
import { propertyProofs } from './cells/properties.ts';

declareNeeds('crun', 'python3', 'base-tools');
// Hundreds of runs, on whatever machine: a bound, not an expectation.
tap.setTimeout(1_800_000);

const proofs: Readonly<Record<string, Proof>> = { ...fieldProofs, ...propertyProofs };

type Levels = ReadonlyMap<string, { readonly level: string; readonly seen: string }>;

async function verify({ start, chosen }: CellEngine): Promise<Levels> {
  const { stdout, stderr } = await start(['verify', '--json', ...chosen, '--profile', 'default']).ended;
  if (stdout === '') throw new Error(stderr);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; level: string; seen: string }[] };
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
    const levels = await verify(engine);
    for (const row of matrixRows()) {
      const { by, lacks = [] } = row.cells[name];
      if (by === undefined) continue;
      await t.test(`${row.name}: ${by}`, async (u) => {
        const { checks = [], acts = [], elsewhere = [], show } = proofs[row.name] ?? {};
        const lacking = lacks.flatMap((one) => one.checks);
        const held = checks.filter((id) => !lacking.includes(id));
        judge(u, held, levels);
        for (const act of acts) await perform(u, engine, act);
        await show?.(u, engine);
        u.ok(
          held.length + acts.length + elsewhere.length > 0 || show !== undefined || lacking.length > 0,
          'it has a proof',
        );
      });
    }
  });
}
