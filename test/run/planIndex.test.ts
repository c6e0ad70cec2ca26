// Owns which plans are trimmed: the oldest beyond 256, but none that a sandbox was made from.
import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { removePlan, trimPlans } from '../../lib/run/planIndex.ts';

const nameOf = (number: number) => number.toString(16).padStart(64, '0');

/** Plans 0 to count - 1, the first the oldest, all older than an hour. */
function makePlans(folder: string, count: number, now: number): void {
  for (let number = 0; number < count; number++) {
    const path = join(folder, nameOf(number));
    mkdirSync(path);
    const made = now / 1000 - 7200 + number;
    utimesSync(path, made, made);
  }
}

test('the oldest plans beyond 256 go, those of sandboxes stay', async (t) => {
  const folder = t.testdir({ 'index-1': {} });
  const now = Date.now();
  makePlans(folder, 260, now);
  trimPlans(folder, now, () => new Set([nameOf(1)]));
  const left = new Set(readdirSync(folder));
  t.ok(left.has(nameOf(1)), 'an old one of a sandbox');
  for (const number of [0, 2, 3]) t.notOk(left.has(nameOf(number)), `${number}`);
  t.ok(left.has(nameOf(4)));
  t.ok(left.has('index-1'), 'what is no plan is nobody’s business');
});

test('up to 256 plans nobody is asked and nothing goes', async (t) => {
  const folder = t.testdir({});
  const now = Date.now();
  makePlans(folder, 256, now);
  trimPlans(folder, now, () => {
    throw new Error('asked');
  });
  t.equal(readdirSync(folder).length, 256);
});

test('a plan, which is read-only, is removed by a plain user, too, and twice is once', async (t) => {
  const folder = t.testdir({});
  const plan = join(folder, nameOf(1));
  mkdirSync(plan);
  writeFileSync(join(plan, 'launch'), '', { mode: 0o400 });
  chmodSync(plan, 0o500);
  for (const path of [folder, plan]) chownSync(path, 65534, 65534);
  process.seteuid?.(65534);
  try {
    removePlan(plan);
    removePlan(plan);
  } finally {
    process.seteuid?.(0);
  }
  t.strictSame(readdirSync(folder), []);
});
