// Owns what root's watcher publishes: who may say so, how long it holds, and that silence after a wall is drift.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { freshMs, publishState, readPublished } from '../../lib/firewall/published.ts';
import { firewallPlaces } from '../../lib/firewall/record.ts';
import { readWall, requireWall } from '../../lib/firewall/wall.ts';
import type { Clock } from '../../lib/policy/clock.ts';

const self = process.getuid?.() ?? 0;
const clock: Clock = { wallMs: 0, bootId: 'b', bootMs: 1_000_000 };
const later: Clock = { ...clock, bootMs: clock.bootMs + freshMs + 1 };

function makePlaces(t: Test) {
  const run = mkdtempSync(join(tmpdir(), 'cofferdam-wall-'));
  t.teardown(() => rmSync(run, { recursive: true, force: true }));
  return firewallPlaces({
    ...{ hostConfig: '', config: run, data: run, state: run, run, imageStores: [], install: run },
  });
}

test('what was published holds as long as somebody keeps it fresh', (t) => {
  const { published: file } = makePlaces(t);
  t.equal(readPublished(file, clock, self), undefined);
  for (const state of ['verified', 'drifted', 'absent'] as const) {
    publishState(file, state, clock);
    t.same(readPublished(file, clock, self), { state, fresh: true });
    t.same(readPublished(file, later, self), { state: state === 'absent' ? 'absent' : 'drifted', fresh: false }, state);
    t.equal(readPublished(file, { ...clock, bootId: 'c' }, self), undefined, 'of another boot');
  }
  t.end();
});

test('refuses what others may have written, and takes garbage for drift', (t) => {
  const { published: file } = makePlaces(t);
  for (const text of ['', '{}', 'verified', '{"v":1,"state":"verified"}']) {
    writeFileSync(file, text);
    t.equal(readPublished(file, clock, self)?.state, 'drifted', text);
  }
  publishState(file, 'verified', clock);
  chmodSync(file, 0o666);
  t.throws(() => readPublished(file, clock, self), { code: 'CONFIG_UNREADABLE' });
  chmodSync(file, 0o644);
  t.throws(() => readPublished(file, clock, self + 1), { code: 'CONFIG_UNREADABLE' });
  t.end();
});

test('refuses a way out behind a wall that does not stand', async (t) => {
  const places = makePlaces(t);
  const user = { places, uid: 4321, clock: () => clock };
  t.equal(await readWall(user), 'absent', 'nobody watches');
  t.equal(await readWall({ ...user, uid: 0 }), 'absent', 'nothing was applied');
  if (self !== 0) return;
  publishState(places.published, 'verified', clock);
  t.equal(await requireWall(user), 'verified');
  await t.rejects(requireWall({ ...user, clock: () => later }), { code: 'FIREWALL_DRIFT' }, 'nobody looks any more');
  publishState(places.published, 'drifted', clock);
  await t.rejects(requireWall(user), { code: 'FIREWALL_DRIFT' });
});
