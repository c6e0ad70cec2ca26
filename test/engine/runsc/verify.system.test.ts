// Owns the proof that `sandbox verify` holds under gVisor too, with every difference said.
import { declareNeeds } from '../../system/needs.ts';
import { testAsBoth } from '../../system/scene.ts';

declareNeeds('runsc', 'base-tools');

testAsBoth('sandbox verify passes, and says of each check that does not apply why', async (t, scene) => {
  const { status, stdout, stderr } = await scene.sandbox([
    'verify',
    '--json',
    '--isolation',
    'gvisor',
    '--profile',
    'default',
  ]);
  t.equal(status, 0, stderr);
  const { ok, engine, checks } = JSON.parse(stdout) as {
    ok: boolean;
    engine: string;
    checks: { id: string; level: string; seen: string }[];
  };
  t.same([ok, engine], [true, 'runsc']);
  t.same(
    checks.filter(({ level }) => level === 'FAIL'),
    [],
  );
  const skipped = checks.filter(({ level }) => level === 'SKIP');
  t.ok(skipped.length <= 24, `${skipped.length} skipped`);
  for (const { id, seen } of skipped) t.match(seen, /\w{3,} \w/, id);
});
