// Tests that the audit log shows every way to falsify it, survives a crash at any byte, and goes on across files.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { findLine, lastLines, readAudit } from '../../lib/run/audit/find.ts';
import { renewKey, withAudit } from '../../lib/run/audit/log.ts';
import { readAuditTail } from '../../lib/run/audit/tail.ts';
import { parseHead, verifyAudit } from '../../lib/run/audit/verify.ts';
import { readKey } from '../../lib/run/key.ts';

const uid = process.getuid?.() ?? -1;
const now = Date.UTC(2026, 10, 20);

async function append(state: string, count: number, rotateAt = 1 << 20): Promise<void> {
  await withAudit({ state, uid, now, rotateAt }, (log) => {
    for (let i = 0; i < count; i++) log.draft({ event: 'run.completed', run: `r${i}`, data: { i } });
    log.commit();
  });
}

async function makeLog(t: Test, count = 6): Promise<{ state: string; file: string; lines: string[] }> {
  const state = t.testdir({});
  await append(state, count);
  const file = join(state, 'audit.log');
  return { state, file, lines: readFileSync(file, 'utf8').trimEnd().split('\n') };
}

function judge(state: string, head?: string): string {
  const key = readKey(state, uid);
  const { ok, fault } = verifyAudit({ state, key, head: head === undefined ? undefined : parseHead(head) });
  return ok ? 'ok' : (fault?.kind ?? '');
}

test('a log verifies as it was written, and from an earlier head', async (t) => {
  const { state } = await makeLog(t);
  const { seq, hash } = readAuditTail(state);
  t.equal(seq, 7);
  await append(state, 3);
  t.equal(judge(state), 'ok');
  t.equal(judge(state, `${seq}:${hash}`), 'ok');
  t.match(verifyAudit({ state }), { lines: 10, torn: 0, unfinished: 0, head: { seq: 10 } });
});

test('refuses a log that was falsified, for the right reason', async (t) => {
  const { state, file, lines } = await makeLog(t);
  const { seq, hash } = readAuditTail(state);
  const cases: readonly [string, (copy: string[]) => void, string][] = [
    ['a line changed', (l) => l.splice(3, 1, (l[3] ?? '').replace('"i":2', '"i":9')), 'changed'],
    ['the last line changed', (l) => l.splice(6, 1, (l[6] ?? '').replace('"i":5', '"i":9')), 'signature'],
    ['a line taken out', (l) => l.splice(3, 1), 'missing'],
    ['two lines taken out', (l) => l.splice(3, 2), 'missing'],
    ['the first line taken out', (l) => l.splice(0, 1), 'missing'],
    ['a line twice', (l) => l.splice(3, 0, l[3] ?? ''), 'repeated'],
    ['an old line at the end', (l) => l.push(l[2] ?? ''), 'repeated'],
    ['two lines exchanged', (l) => l.splice(3, 2, l[4] ?? '', l[3] ?? ''), 'reordered'],
    ['a line of somebody else', (l) => l.splice(3, 0, 'hello'), 'foreign'],
    ['an empty line', (l) => l.splice(3, 0, ''), 'foreign'],
    ['a line with another spacing', (l) => l.splice(3, 1, (l[3] ?? '').replace(':', ': ')), 'foreign'],
    ['a line with a key twice', (l) => l.splice(3, 1, (l[3] ?? '').replace('{', '{"seq":4,')), 'foreign'],
    ['a line of a megabyte', (l) => l.splice(3, 0, 'x'.repeat(1 << 20)), 'foreign'],
  ];
  for (const [title, change, wanted] of cases) {
    const copy = [...lines];
    change(copy);
    writeFileSync(file, `${copy.join('\n')}\n`);
    t.equal(judge(state), wanted, title);
  }
  writeFileSync(file, `${lines.slice(0, 4).join('\n')}\n`);
  t.equal(judge(state), 'ok', 'a tail that was cut off shows only');
  t.equal(judge(state, `${seq}:${hash}`), 'cut', 'with an earlier head');
  t.equal(judge(state, `2:${'0'.repeat(64)}`), 'head', 'a head of another log');
  rmSync(file);
  t.equal(judge(state, `${seq}:${hash}`), 'cut', 'a log that is gone');
});

test('a line that a crash cut at any byte is set apart, and the chain goes on', async (t) => {
  const { state, file, lines } = await makeLog(t, 2);
  const [last = ''] = lines.slice(-1);
  const before = `${lines.slice(0, -1).join('\n')}\n`;
  for (const cut of [1, 2, last.length >> 1, last.length - 1]) {
    writeFileSync(file, before + last.slice(0, cut));
    t.match(verifyAudit({ state }), { ok: true, unfinished: cut }, 'not whole, and said so');
    await append(state, 1);
    t.match(
      verifyAudit({ state, key: readKey(state, uid) }),
      { ok: true, torn: 1, unfinished: 0, head: { seq: 4 } },
      `cut at ${cut}`,
    );
  }
  writeFileSync(file, before + last);
  await append(state, 1);
  t.match(
    verifyAudit({ state }),
    { ok: true, torn: 0, head: { seq: 4 } },
    'only its newline is missing: it was written',
  );
});

test('a crash while a torn line is set apart is set apart as well', async (t) => {
  const { state, file, lines } = await makeLog(t, 2);
  writeFileSync(file, `${lines.slice(0, 2).join('\n')}\n{"v":1,"se\n{"v":1,"seq":3,"ti`);
  await append(state, 1);
  t.match(verifyAudit({ state }), { ok: true, torn: 1, head: { seq: 4 } });
  writeFileSync(file, `${readFileSync(file, 'utf8')}${'\0'.repeat(100)}`);
  await append(state, 1);
  t.match(verifyAudit({ state }), { ok: true, torn: 2, head: { seq: 6 } }, 'zeros of a file system that lost the end');
});

test('refuses a fragment that no line names, or that was changed afterwards', async (t) => {
  const { state, file } = await makeLog(t, 2);
  appendFileSync(file, '{"v":1,"half');
  await append(state, 1);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('"half', '"hale'));
  t.equal(judge(state), 'foreign');
  writeFileSync(file, text.replace('{"v":1,"half\n', ''));
  t.equal(judge(state), 'ok', 'the fragment itself counts for nothing');
});

test('the chain goes on across files', async (t) => {
  const state = t.testdir({});
  for (let i = 0; i < 6; i++) await append(state, 10, 4000);
  const names = readdirSync(state).filter((name) => /^audit\..*log$/.test(name));
  t.ok(names.length >= 4, names.join(' '));
  t.match(verifyAudit({ state, key: readKey(state, uid) }), { ok: true, lines: 61, head: { seq: 61 } });
  t.equal(findLine(state, 1)?.event, 'audit.begun');
  for (const seq of [2, 11, 33, 61]) t.equal(findLine(state, seq)?.seq, seq);
  t.equal(findLine(state, 62), undefined);
  t.same(
    lastLines(state, 25).map(({ seq }) => seq),
    Array.from({ length: 25 }, (_, i) => 37 + i),
  );
  t.equal([...readAudit(state)].length, 61);
  const { seq, hash } = readAuditTail(state);
  rmSync(join(state, 'audit.2.log'));
  t.equal(judge(state), 'missing', 'a whole file was taken out');
  rmSync(join(state, 'audit.log'));
  await append(state, 1);
  t.equal(judge(state, `${seq}:${hash}`), 'missing');
});

test('a log whose old files were archived verifies from the head at which they ended', async (t) => {
  const state = t.testdir({});
  await append(state, 10, 4000);
  const { seq, hash } = readAuditTail(state);
  await append(state, 10, 4000);
  rmSync(join(state, 'audit.1.log'));
  t.equal(judge(state), 'missing');
  t.equal(judge(state, `${seq}:${hash}`), 'ok');
});

test('a crash right after a rotation loses nothing', async (t) => {
  const state = t.testdir({});
  await append(state, 20, 4000);
  await append(state, 1, 4000);
  rmSync(join(state, 'audit.log'));
  const { seq } = readAuditTail(state);
  t.equal(seq, 21);
  writeFileSync(join(state, 'audit.log'), '');
  await append(state, 1, 4000);
  t.match(verifyAudit({ state }), { ok: true, head: { seq: 22 } });
});

test('refuses a head that is none', (t) => {
  for (const text of ['', '1', `1:${'g'.repeat(64)}`, `x:${'0'.repeat(64)}`, `1:${'0'.repeat(63)}`])
    t.throws(() => parseHead(text), { code: 'USAGE' }, text);
  t.end();
});

test('refuses a log that is a link, or whose end is not ours', async (t) => {
  const state = t.testdir({});
  writeFileSync(join(state, 'audit.log'), Buffer.alloc(5 << 20, 'x\n'));
  await t.rejects(append(state, 1), { code: 'AUDIT_DAMAGED' });
  t.equal(statSync(join(state, 'audit.log')).size, 5 << 20, 'it stays as it was');
});

test('another key is made on purpose only, and the log says which followed which', async (t) => {
  const { state } = await makeLog(t);
  const before = readKey(state, uid)?.keyid;
  const after = await renewKey({ state, uid, now });
  t.not(after.keyid, before);
  t.match(findLine(state, 8), { event: 'key.replaced', data: { replaces: before, keyid: after.keyid } });
  t.equal(judge(state), 'ok');
  t.ok(readdirSync(state).some((name) => name.endsWith('.retired')));
});

test('a state folder is made when it is missing', async (t) => {
  const state = join(t.testdir({}), 'deep', 'state');
  await append(state, 1);
  t.equal(judge(state), 'ok');
  mkdirSync(join(state, 'receipts'), { recursive: true });
});
