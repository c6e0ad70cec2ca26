// Owns logs of lines: bounded by rotation, read oldest first, followed over rotations, untrusted bytes and all.
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { appendLines, type LineLog, longestLine, tailLines } from '../../lib/base/lineLog.ts';

function makeLog(t: Test): LineLog {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-lines-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, name: 'x', kept: 2, rotateAt: 100 };
}

async function readAll(log: LineLog): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of tailLines(log)) lines.push(line);
  return lines;
}

test('what was appended comes back in order, over rotations, and the oldest goes', async (t) => {
  const log = makeLog(t);
  t.same(await readAll(log), [], 'there is none yet');
  for (let i = 0; i < 40; i++) appendLines(log, [`line ${i} ${'.'.repeat(20)}`], true);
  const numbers = (await readAll(log)).map((line) => Number(line.split(' ')[1]));
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  t.equal(numbers.at(-1), 39);
  t.same(readdirSync(log.folder).sort(), ['x.1.log', 'x.2.log', 'x.log']);
  for (const name of readdirSync(log.folder)) t.ok(statSync(join(log.folder, name)).size < 200);
});

test('who does not own the log never rotates it', async (t) => {
  const log = makeLog(t);
  for (let i = 0; i < 20; i++) appendLines(log, ['.'.repeat(20)], false);
  t.same(readdirSync(log.folder), ['x.log']);
});

test('a line that is not whole yet, or longer than any, is left out', async (t) => {
  const log = makeLog(t);
  const file = join(log.folder, 'x.log');
  writeFileSync(file, `a\n${'b'.repeat(longestLine + 1)}\n\u00ff\nhalf`);
  t.same(await readAll(log), ['a', '\u00ff']);
  appendFileSync(file, ' and whole\n');
  t.same(await readAll(log), ['a', '\u00ff', 'half and whole']);
});

test('refuses to read or write through a link', async (t) => {
  const log = makeLog(t);
  const [file, other] = [join(log.folder, 'x.log'), join(log.folder, 'other')];
  writeFileSync(other, 'secret\n');
  symlinkSync(other, file);
  t.same(await readAll(log), []);
  t.throws(() => appendLines(log, ['y'], false), { code: 'TOOL_FAILED' });
});

test('following gives what is added, also when the file was rotated away meanwhile', async (t) => {
  const log = makeLog(t);
  const controller = new AbortController();
  appendLines(log, ['one'], false);
  const lines = tailLines(log, controller.signal);
  const next = async () => (await lines.next()).value;
  t.equal(await next(), 'one');
  appendLines(log, ['two'], false);
  t.equal(await next(), 'two');
  appendLines(log, ['three'], false);
  renameSync(join(log.folder, 'x.log'), join(log.folder, 'x.1.log'));
  appendLines(log, ['four'], false);
  t.equal(await next(), 'three');
  t.equal(await next(), 'four');
  controller.abort();
  t.equal((await lines.next()).done, true);
});
