// Owns the promises of reading a sandbox's log: whole frames only, resuming, rotation, following, damage.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { CofferdamError } from '../../../lib/base/errors.ts';
import { selectLog } from '../../../lib/run/life/logSelection.ts';
import { type LogEvent, type LogRequest, readLog } from '../../../lib/run/life/logs.ts';
import { frame, LogWriter } from './logFixture.ts';

function requestOf(directory: string, more: Partial<LogRequest> = {}): LogRequest {
  const signal = new AbortController().signal;
  return { directory, offset: undefined, follow: false, isLive: () => false, signal, ...more };
}

function textOf(event: LogEvent): string {
  return event.kind === 'gap'
    ? `gap ${event.from}-${event.to}`
    : `${event.frame.stream === 'stdout' ? 'o' : 'e'}:${event.frame.bytes.toString('latin1')}`;
}

async function collect(events: AsyncIterable<LogEvent>): Promise<string[]> {
  const texts: string[] = [];
  for await (const event of events) texts.push(textOf(event));
  return texts;
}

async function codeOf(events: AsyncIterable<LogEvent>): Promise<string> {
  try {
    await collect(events);
    return 'none';
  } catch (error) {
    return (error as CofferdamError).code;
  }
}

const all = { since: undefined, until: undefined, tail: undefined };

test('gives what was written, in order, each with its stream', async (t) => {
  const log = new LogWriter(t).write('o', 'one\n').write('e', 'two\n').write('o', '').write('o', 'a\nb\n1 o 3\nabc\n');
  t.same(await collect(readLog(requestOf(log.directory))), ['o:one\n', 'e:two\n', 'o:', 'o:a\nb\n1 o 3\nabc\n']);
});

test('gives nothing for a sandbox that never wrote', async (t) => {
  const log = new LogWriter(t);
  t.same(await collect(readLog(requestOf(log.directory))), []);
  t.same(await collect(readLog(requestOf(join(log.directory, 'none')))), []);
  t.same(await collect(readLog(requestOf(join(log.directory, 'none'), { follow: true }))), [], 'nor when it follows');
});

test('leaves out a frame that is not whole, wherever it was cut', async (t) => {
  const whole = frame('e', 'second, and cut\n');
  for (let cut = 0; cut < whole.length; cut++) {
    const log = new LogWriter(t).write('o', 'first\n').raw(whole.subarray(0, cut));
    t.same(await collect(readLog(requestOf(log.directory))), ['o:first\n'], `${cut} bytes of it`);
  }
});

test('resumes where an earlier reading ended, at every frame', async (t) => {
  const log = new LogWriter(t).write('o', 'one').write('e', 'two').rotate().write('o', 'three').write('e', 'four');
  const offsets: number[] = [0];
  for await (const event of readLog(requestOf(log.directory)))
    if (event.kind === 'frame') offsets.push(event.frame.next);
  const texts = ['o:one', 'e:two', 'o:three', 'e:four'];
  for (const [i, offset] of offsets.entries())
    t.same(await collect(readLog(requestOf(log.directory, { offset }))), texts.slice(i), `from ${offset}`);
});

test('says what was rotated away since', async (t) => {
  const log = new LogWriter(t).write('o', 'one');
  const first = log.offset;
  log.write('o', 'lost').rotate().write('o', 'two').rotate().write('o', 'three');
  const begin = first + frame('o', 'lost').length;
  const events = await collect(readLog(requestOf(log.directory, { offset: first })));
  t.same(events, [`gap ${first}-${begin}`, 'o:two', 'o:three']);
  t.same(await collect(readLog(requestOf(log.directory))), ['o:two', 'o:three'], 'without an offset nothing is missed');
});

test('refuses an offset in the middle of a frame or after the end', async (t) => {
  const log = new LogWriter(t).write('o', 'one').write('o', 'two');
  for (const offset of [1, log.offset - 1, log.offset + 1])
    t.equal(await codeOf(readLog(requestOf(log.directory, { offset }))), 'USAGE', String(offset));
});

test('refuses what no supervisor wrote', async (t) => {
  for (const text of [
    'hello\n',
    '1 x 3\nabc\n',
    '1 o 3\nabcd',
    '1 o 9999999\n',
    '1 o -1\n\n',
    `${'1'.repeat(60)} o 1\na\n`,
  ]) {
    const log = new LogWriter(t).write('o', 'one').raw(Buffer.from(text));
    t.equal(await codeOf(readLog(requestOf(log.directory))), 'LOGS_DAMAGED', JSON.stringify(text));
  }
  const folder = new LogWriter(t).directory;
  mkdirSync(join(folder, '0'));
  t.equal(await codeOf(readLog(requestOf(folder))), 'LOGS_DAMAGED', 'a folder');
  const linked = new LogWriter(t).directory;
  writeFileSync(join(linked, 'elsewhere'), frame('o', 'one'));
  symlinkSync('elsewhere', join(linked, '0'));
  t.not(await codeOf(readLog(requestOf(linked))), 'none', 'a link');
});

test('goes on after a frame that was torn when the supervisor was killed', async (t) => {
  const log = new LogWriter(t).write('o', 'one').raw(frame('o', 'torn').subarray(0, 19));
  const torn = log.offset - 19;
  log.rotate().write('o', 'after');
  t.same(await collect(readLog(requestOf(log.directory))), [
    'o:one',
    `gap ${torn}-${log.offset - frame('o', 'after').length}`,
    'o:after',
  ]);
});

test('follows over rotations and ends with the sandbox', async (t) => {
  const log = new LogWriter(t).write('o', '0');
  let live = true;
  const seen: string[] = [];
  for await (const event of readLog(requestOf(log.directory, { follow: true, isLive: () => live }))) {
    seen.push(textOf(event));
    if (seen.length === 30) live = false;
    else if (seen.length % 7 === 0) log.rotate().write('o', String(seen.length));
    else if (seen.length % 3 === 0) setTimeout(() => log.write('o', String(seen.length)), 5);
    else log.write('o', String(seen.length));
  }
  t.same(
    seen,
    Array.from({ length: 30 }, (_, i) => `o:${i}`),
  );
});

test('reads on in a file that was rotated away while it was read', async (t) => {
  const log = new LogWriter(t).write('o', 'a').write('o', 'b').write('o', 'c');
  const seen: string[] = [];
  for await (const event of readLog(requestOf(log.directory))) {
    seen.push(textOf(event));
    if (seen.length === 1) log.rotate().write('o', 'd').rotate().write('o', 'e');
  }
  t.same(seen, ['o:a', 'o:b', 'o:c', 'o:d', 'o:e']);
});

test('gives the last that was written when the sandbox ended between two looks', async (t) => {
  const log = new LogWriter(t).write('o', 'first');
  const isLive = () => {
    log.write('o', 'last');
    return false;
  };
  t.same(await collect(readLog(requestOf(log.directory, { follow: true, isLive }))), ['o:first', 'o:last']);
});

test('stops following when it is told to', async (t) => {
  const log = new LogWriter(t).write('o', 'one');
  const controller = new AbortController();
  const request = requestOf(log.directory, { follow: true, isLive: () => true, signal: controller.signal });
  const seen: string[] = [];
  for await (const event of readLog(request)) {
    seen.push(textOf(event));
    setTimeout(() => controller.abort(), 30);
  }
  t.same(seen, ['o:one']);
});

test('selects by time', async (t) => {
  const log = new LogWriter(t).write('o', '1', 1000).write('o', '2', 2000).write('o', '3', 3000);
  const select = (more: object) => collect(selectLog(requestOf(log.directory), { ...all, ...more }, 5000));
  t.same(await select({ since: 2000 }), ['o:2', 'o:3']);
  t.same(await select({ until: 2000 }), ['o:1', 'o:2']);
  t.same(await select({ since: 1500, until: 2500 }), ['o:2']);
  const request = requestOf(log.directory, { follow: true, isLive: () => true });
  t.same(
    await collect(selectLog(request, { ...all, until: 4000 }, 3990)),
    ['o:1', 'o:2', 'o:3'],
    'following ends there',
  );
});

test('selects the last lines, also in the middle of a frame', async (t) => {
  const log = new LogWriter(t).write('o', 'a\nb\nc').write('e', 'c\nd\n').write('o', 'e');
  const tail = (n: number) => collect(selectLog(requestOf(log.directory), { ...all, tail: n }, 0));
  t.same(await tail(0), []);
  t.same(await tail(1), ['o:e']);
  t.same(await tail(2), ['e:d\n', 'o:e']);
  t.same(await tail(4), ['o:b\nc', 'e:c\nd\n', 'o:e']);
  t.same(await tail(99), ['o:a\nb\nc', 'e:c\nd\n', 'o:e']);
});

test('reads megabytes of small frames, and the largest', async (t) => {
  const log = new LogWriter(t);
  log.raw(Buffer.concat(Array.from({ length: 100_000 }, (_, i) => frame('o', `${i}\n`))));
  log.write('e', Buffer.alloc(1 << 20, 'x'));
  let bytes = 0;
  let frames = 0;
  for await (const event of readLog(requestOf(log.directory))) {
    frames += 1;
    if (event.kind === 'frame') bytes += event.frame.bytes.length;
  }
  t.equal(frames, 100_001);
  t.equal(bytes, 588_890 + (1 << 20));
});
