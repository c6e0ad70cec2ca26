// Tests that every run gets one receipt and one audit line, whatever runs.log holds and whoever was killed.
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { awaitRun } from '../../lib/run/receipt/awaited.ts';
import { completeDue, completeRuns } from '../../lib/run/receipt/complete.ts';
import { findReceipts } from '../../lib/run/receipt/store.ts';
import { events, now, receiptOf, receiptScene } from './receipt-scene.ts';

const begun = 'audit.begun';

test('a line of the short way becomes a receipt, once', async (t) => {
  const scene = receiptScene(t);
  t.same(await completeRuns(scene.host, { now }), [], 'there is no log yet');
  t.notOk(existsSync(join(scene.state, 'key')), 'and so no key');
  scene.append(scene.line('one'));
  t.match(await completeRuns(scene.host, { now }), [{ id: 'one', digest: /^sha256:/ }]);
  t.same(await completeRuns(scene.host, { now }), []);
  t.same(events(scene), [begun, 'run.completed one']);
  const { result, digests, enforced, assurance, artifacts } = receiptOf(scene, 'one');
  t.match(result, { status: 'completed', exitCode: 0, stdoutBytes: 3 });
  t.match(enforced, { noNewPrivileges: true, network: 'none' });
  t.match(digests, { plan: { sha256: scene.plan }, policy: { absent: /no policy applies/ } });
  t.match(artifacts, { absent: /none were asked for/ });
  t.equal(assurance, 'self');
  t.equal(statSync(join(scene.state, 'audit.log')).mode & 0o777, 0o600);
});

test('what only the starting process knows is in the receipt of its run', async (t) => {
  const scene = receiptScene(t);
  const line = scene.line('mine');
  scene.append(line);
  const artifacts = [{ path: 'a\u202eb', bytes: 4, sha256: 'c'.repeat(64), type: 'file' as const }];
  const made = await completeRuns(scene.host, {
    now,
    details: [scene.details(line, { artifacts, artifactsRefused: 2 })],
  });
  t.equal(made.length, 1);
  const receipt = receiptOf(scene, 'mine');
  t.match(receipt.artifacts, { count: 1, bytes: 4, refused: 2, files: [{ sha256: 'c'.repeat(64) }] });
  t.same(receipt.run.labels, { team: 'a' });
  t.match(receipt.digests.command, { sha256: /^[0-9a-f]{64}$/ });
});

test('a plan that was trimmed away still gives a receipt, which says what is not known', async (t) => {
  const scene = receiptScene(t);
  scene.append(scene.line('old'));
  rmSync(scene.plans, { recursive: true });
  await completeRuns(scene.host, { now });
  const { digests, enforced } = receiptOf(scene, 'old');
  t.match(enforced, { absent: /removed/ });
  t.match(digests, { plan: { sha256: scene.plan }, spec: { absent: /removed/ } });
});

test('refuses a garbled line: it is named in the audit log and holds up nothing', async (t) => {
  const scene = receiptScene(t);
  scene.append(
    scene.line('a'),
    '1 half a li',
    '',
    `\u001b[31m${'x'.repeat(9000)}`,
    scene.line('huge', '9999999999999999 1 0 exited 0 0 -'),
  );
  scene.append(scene.line('b'));
  await completeRuns(scene.host, { now });
  const garbled = 'record.garbled';
  t.same(events(scene), [begun, 'run.completed a', garbled, garbled, garbled, 'run.completed b']);
  t.notMatch(readFileSync(join(scene.state, 'audit.log'), 'utf8'), '\u001b');
  t.same(await completeRuns(scene.host, { now }), []);
});

test('half a line at the end is being written: it waits', async (t) => {
  const scene = receiptScene(t);
  const line = scene.line('slow');
  appendFileSync(scene.log, line.slice(0, 40));
  t.same(await completeRuns(scene.host, { now }), []);
  appendFileSync(scene.log, `${line.slice(40)}\n`);
  t.match(await completeRuns(scene.host, { now }), [{ id: 'slow' }]);
  t.same(events(scene), [begun, 'run.completed slow']);
});

test('a log that is cut, replaced or comes back never gives a second receipt', async (t) => {
  const scene = receiptScene(t);
  scene.append(scene.line('a'), scene.line('b'));
  await completeRuns(scene.host, { now });
  copyFileSync(scene.log, `${scene.log}.old`);
  truncateSync(scene.log, 10);
  scene.append('', scene.line('c'));
  await completeRuns(scene.host, { now });
  renameSync(`${scene.log}.old`, scene.log);
  scene.append(scene.line('d'));
  await completeRuns(scene.host, { now });
  const completed = events(scene).filter((event) => event.startsWith('run.'));
  t.same(completed, ['run.completed a', 'run.completed b', 'run.completed c', 'run.completed d']);
  t.equal(events(scene).filter((event) => event === 'log.replaced').length, 2);
});

test('an id that is used again has a receipt for each run', async (t) => {
  const scene = receiptScene(t);
  for (const exit of [1, 2, 3]) scene.append(scene.line('same', `${now} ${now} ${exit} exited 0 0 -`));
  await completeRuns(scene.host, { now });
  scene.append(scene.line('same', `${now} ${now} 4 exited 0 0 -`));
  await completeRuns(scene.host, { now });
  t.equal(findReceipts(scene.state, 'same').length, 4);
  t.equal(receiptOf(scene, 'same').result.exitCode, 4, 'the newest comes first');
});

test('a run whose own process still lives is left to it, and those behind it are not', async (t) => {
  const scene = receiptScene(t);
  const line = scene.line('theirs');
  const awaited = awaitRun(scene.awaited, 'theirs');
  t.throws(() => awaitRun(scene.awaited, 'theirs'), { code: 'ID_IN_USE' });
  scene.append(line, 'garbled', scene.line('mine'));
  for (let i = 0; i < 3; i++) await completeRuns(scene.host, { now });
  t.same(events(scene), [begun, 'run.completed mine'], 'progress stops there: what is garbled behind it waits');
  await completeRuns(scene.host, { now, details: [scene.details(line)] });
  awaited.release();
  await completeRuns(scene.host, { now });
  t.same(events(scene).slice(2), ['run.completed theirs', 'record.garbled']);
  t.match(receiptOf(scene, 'theirs').run.labels, { team: 'a' });
});

test('a run whose own process died is completed by others', async (t) => {
  const scene = receiptScene(t);
  scene.append(scene.line('orphan'));
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  writeFileSync(join(scene.awaited, 'orphan'), `1 orphan 999999999 1 ${boot} ${'0'.repeat(64)}\n`);
  await completeRuns(scene.host, { now });
  t.same(events(scene), [begun, 'run.completed orphan']);
});

test('a run whose supervisor was killed is recorded as lost, once, and only when it left no line', async (t) => {
  const scene = receiptScene(t);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const live = (id: string, pid: number, started: string) =>
    writeFileSync(join(scene.records, id), `1 ${id} ${pid} ${started} ${boot} ${scene.plan}\n`);
  live('killed', 999_999_999, '1');
  live('ended', 999_999_999, '1');
  const started = readFileSync('/proc/self/stat', 'utf8').split(' ')[21] ?? '';
  live('running', process.pid, started);
  const later = Math.ceil(statSync(join(scene.records, 'ended')).mtimeMs);
  scene.append(scene.line('ended', `${later} ${later + 5} 0 exited 0 0 -`));
  for (let i = 0; i < 3; i++) await completeDue(scene.host, now);
  t.same(events(scene), [begun, 'run.completed ended', 'run.lost killed']);
  const { result, digests, enforced } = receiptOf(scene, 'killed');
  t.match(result, { status: 'lost', exitCode: null });
  t.match(digests.plan, { sha256: scene.plan }, 'what was planned is there');
  t.match(enforced, { network: 'none' });
});

test('a crash between writing a receipt and naming it leaves one receipt in the end', async (t) => {
  const scene = receiptScene(t);
  scene.append(scene.line('a'));
  await completeRuns(scene.host, { now });
  const pending = join(scene.state, 'receipts', 'pending');
  writeFileSync(join(pending, '3.json'), 'half');
  scene.append(scene.line('b'));
  await completeRuns(scene.host, { now });
  t.same(readdirSync(pending), [], 'what nobody names is dropped');
  const [file = ''] = findReceipts(scene.state, 'b');
  renameSync(file, join(pending, '3.json'));
  await completeRuns(scene.host, { now });
  t.same(readdirSync(pending), [], 'what the audit log names goes to its place');
  t.equal(receiptOf(scene, 'b').sequence, 3);
});

test('completed lines give their space back, and nothing behind them moves', async (t) => {
  const scene = receiptScene(t);
  const lines = Array.from({ length: 300 }, (_, i) => scene.line(`r${i}`));
  appendFileSync(scene.log, `${'\0'.repeat(3 << 20)}\n`);
  writeFileSync(`${scene.log}.pad`, Buffer.alloc(3 << 20, 'x'));
  renameSync(`${scene.log}.pad`, scene.log);
  scene.append('', ...lines);
  await completeRuns(scene.host, { now });
  t.equal(events(scene).filter((event) => event.startsWith('run.completed')).length, 300);
  const found = statSync(scene.log);
  t.ok(
    found.size > 3 << 20 && found.blocks * 512 < 1 << 20,
    `${found.size} bytes long, ${found.blocks * 512} on the disk`,
  );
  scene.append(scene.line('next'));
  t.match(await completeRuns(scene.host, { now }), [{ id: 'next' }]);
});

test('refuses to complete without the key that signed before, and loses no run by it', async (t) => {
  const scene = receiptScene(t);
  scene.append(scene.line('a'));
  await completeRuns(scene.host, { now });
  renameSync(join(scene.state, 'key'), join(scene.state, 'away'));
  scene.append(scene.line('b'));
  await t.rejects(completeRuns(scene.host, { now }), { code: 'KEY_INVALID' });
  renameSync(join(scene.state, 'away'), join(scene.state, 'key'));
  t.match(await completeRuns(scene.host, { now }), [{ id: 'b' }]);
});

test('refuses a log that is a link or a folder', async (t) => {
  const scene = receiptScene(t);
  mkdirSync(scene.log);
  await t.rejects(completeRuns(scene.host, { now }), { code: 'AUDIT_DAMAGED' });
});
