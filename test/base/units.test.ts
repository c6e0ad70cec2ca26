// Owns the proof of how sizes, durations, ids and near words are read.
import { test } from 'tap';
import { checkId, idPattern, newRunId } from '../../lib/base/ids.ts';
import { didYouMean, nearest } from '../../lib/base/nearest.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../lib/base/units.ts';

test('sizes are powers of 1024, durations are milliseconds', async (t) => {
  t.same(['0', '4096', '5b', '512k', '64m', '2g', '1t'].map(parseSize), [
    0,
    4096,
    5,
    524_288,
    67_108_864,
    2_147_483_648,
    2 ** 40,
  ]);
  t.same(['500ms', '30s', '5m', '1h', '2d'].map(parseDuration), [500, 30_000, 300_000, 3_600_000, 172_800_000]);
});

test('refuses other forms of sizes and durations', async (t) => {
  for (const text of [
    '',
    ' ',
    '64M',
    '64mb',
    '64 m',
    '1.5g',
    '-1',
    '+1',
    '0x10',
    '1e3',
    '٣m',
    '1m\n',
    '999999999999t',
    'Infinity',
  ]) {
    t.throws(() => parseSize(text), { code: 'VALUE_INVALID' }, JSON.stringify(text));
  }
  for (const text of ['', '30', '30S', '30 s', '1h30m', '-1s', '1.5s', '1s\n', '999999999999d', '1w']) {
    t.throws(() => parseDuration(text), { code: 'VALUE_INVALID' }, JSON.stringify(text));
  }
});

test('what is formatted reads back as the same number', async (t) => {
  for (const bytes of [0, 1, 1023, 1024, 1536, 4096, 67_108_864, 2 ** 31, 2 ** 40, 1_500_000_001]) {
    t.equal(parseSize(formatSize(bytes)), bytes, formatSize(bytes));
  }
  for (const ms of [1, 999, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000]) {
    t.equal(parseDuration(formatDuration(ms)), ms, formatDuration(ms));
  }
  t.same([formatSize(67_108_864), formatDuration(90_000), formatDuration(7_200_000)], ['64m', '90s', '2h']);
});

test('refuses ids that are not 1 to 64 plain characters', async (t) => {
  for (const id of ['', 'a b', 'a/b', '..', 'a.b', 'a\n', 'ä', 'x'.repeat(65), 'a\u0000', '$(id)', '\u202ea']) {
    t.throws(() => checkId(id, '--task-id'), { code: 'ID_INVALID', message: /^--task-id "/ }, JSON.stringify(id));
  }
  for (const id of ['a', 'A-z_9', 'x'.repeat(64)]) t.equal(checkId(id, 'id'), id);
});

test('fresh ids are valid and differ', async (t) => {
  const ids = Array.from({ length: 100 }, newRunId);
  t.equal(new Set(ids).size, 100);
  for (const id of ids) t.match(id, idPattern);
});

test('the nearest words are the likely ones', async (t) => {
  const known = ['memory', 'cpus', 'pids', 'timeout', 'python-tools', 'node-tools'];
  t.same(nearest('memroy', known), ['memory'], 'two letters swapped');
  t.same(nearest('Memory', known), ['memory']);
  t.same(nearest('python', known), ['python-tools'], 'a beginning');
  t.same(nearest('nmae', ['name']), ['name']);
  t.same(nearest('xyzzy', known), []);
  t.same(nearest('', known), []);
  t.equal(didYouMean('cpu', known), '; did you mean "cpus"?');
  t.equal(didYouMean('xyzzy', known), '');
  t.same(nearest('x'.repeat(1_000_000), known), [], 'a word of a megabyte is no work');
});
