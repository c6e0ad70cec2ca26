// Tests completing by many processes at once, and by processes that are killed at any moment.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { verifyAudit } from '../../lib/run/audit/verify.ts';
import { readKey } from '../../lib/run/key.ts';
import { completeRuns } from '../../lib/run/receipt/complete.ts';
import { findReceipts } from '../../lib/run/receipt/store.ts';
import { events, now, receiptOf, receiptScene } from './receipt-scene.ts';

/** Built: stripping the types of so many modules would be most of the time. */
const source = join(import.meta.dirname, '../../dist/run/receipt/complete.js');

// Thirty-five starts of Node on a busy machine.
tap.setTimeout(900_000);

test('twenty processes at once make each receipt once', async (t) => {
  const scene = receiptScene(t);
  const script = join(scene.state, '..', 'complete.ts');
  const body = `import { appendFileSync } from 'node:fs';
import { completeRuns } from ${JSON.stringify(source)};
const name = process.argv[2];
for (let i = 0; i < 5; i++) {
  appendFileSync(${JSON.stringify(scene.log)}, ${JSON.stringify(`${scene.line('ID')}\n`)}.replace('ID', name + '-' + i));
  await completeRuns(${JSON.stringify(scene.host)}, { now: ${now} });
}`;
  writeFileSync(script, body);
  const all = Array.from({ length: 20 }, (_, i) =>
    runTool(process.execPath, [script, `p${i}`], { timeoutMs: 300_000 }),
  );
  await Promise.all(all);
  const found = events(scene).filter((event) => event.startsWith('run.completed'));
  t.equal(found.length, 100);
  t.equal(new Set(found).size, 100);
  t.match(verifyAudit({ state: scene.state }), { ok: true, lines: 101 });
  for (let i = 0; i < 20; i++) t.equal(findReceipts(scene.state, `p${i}-0`).length, 1);
});

test('whoever completes may be killed at any moment: each run has one receipt in the end', async (t) => {
  const scene = receiptScene(t);
  const script = join(scene.state, '..', 'complete.ts');
  writeFileSync(
    script,
    `import { appendFileSync } from 'node:fs';
import { completeRuns } from ${JSON.stringify(source)};
setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(process.argv[3]));
for (let i = 0; ; i++) {
  appendFileSync(${JSON.stringify(scene.log)}, ${JSON.stringify(`${scene.line('ID')}\n`)}.replace('ID', process.argv[2] + '-' + i));
  await completeRuns(${JSON.stringify(scene.host)}, { now: ${now} });
}`,
  );
  for (let kill = 0; kill < 15; kill++) {
    await t.rejects(runTool(process.execPath, [script, `k${kill}`, `${5 + kill * 15}`]), { message: /SIGKILL/ });
  }
  await completeRuns(scene.host, { now });
  const ids = readFileSync(scene.log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  t.ok(ids.length >= 15, `${ids.length} runs`);
  t.same(
    events(scene)
      .filter((event) => event.startsWith('run.completed'))
      .toSorted(),
    ids.map((id) => `run.completed ${id}`).toSorted(),
  );
  for (const id of ids) t.equal(findReceipts(scene.state, id).length, 1, id);
  for (const id of ids) t.equal(receiptOf(scene, id).run.id, id);
  t.match(verifyAudit({ state: scene.state, key: readKey(scene.state, scene.host.uid) }), { ok: true });
  t.same(readdirSync(join(scene.state, 'receipts', 'pending')), []);
});
