// Tests what a receipt reads from a plan: the limits of the very script that was executed, and no plan that was changed.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { readLimits, readPlanFacts } from '../../lib/run/receipt/planFacts.ts';
import { expectedLimits, launchText, receiptScene } from './receipt-scene.ts';

test('every limit that a launch script writes is read from it', (t) => {
  for (const version of [1, 2] as const) {
    const limits = readLimits(launchText(version));
    t.same(
      limits.map(({ file, value }) => `${file}=${value}`),
      expectedLimits(version),
      `v${version}`,
    );
    t.ok(
      limits.every(({ part }) => part !== undefined),
      'each belongs to a limit of the profile',
    );
  }
  t.end();
});

test('a plan tells its digests and what it enforces', (t) => {
  const { plans, plan } = receiptScene(t);
  const facts = readPlanFacts(plans, plan);
  if ('absent' in facts) throw new Error(facts.absent);
  const enforced = facts.enforced([]);
  t.match(enforced, { noNewPrivileges: true, readOnlyRoot: true, network: 'none', lacking: [] });
  t.match(facts.profile.sha256, /^[0-9a-f]{64}$/);
  t.end();
});

test('refuses to say what was enforced when limits were best effort and nobody knows which were lacking', (t) => {
  const { plans, plan } = receiptScene(t, 'best-effort');
  const facts = readPlanFacts(plans, plan);
  if ('absent' in facts) throw new Error(facts.absent);
  t.match(facts.enforced(undefined), { absent: /best effort/ });
  const known = facts.enforced(['memory']);
  if ('absent' in known) throw new Error(known.absent);
  t.match(
    known.lacking.map(({ file }) => file),
    ['memory.max', 'memory.swap.max'],
  );
  t.notOk(
    known.limits.some(({ file }) => file.startsWith('memory.')),
    'what was lacking is not among what held',
  );
  t.end();
});

test('refuses a plan that was changed or is gone', (t) => {
  const { plans, plan } = receiptScene(t);
  writeFileSync(join(plans, plan, 'config.json'), '{}');
  t.match(readPlanFacts(plans, plan), { absent: /changed/ });
  rmSync(join(plans, plan), { recursive: true });
  t.match(readPlanFacts(plans, plan), { absent: /removed/ });
  t.end();
});
