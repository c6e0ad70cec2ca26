// Tests freeing what dead runs left: what is damaged or foreign is moved aside, never trusted or followed, and keeps nothing
// else from being freed.
import { lstatSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { parseLiveRecord } from '../../lib/run/liveRecord.ts';
import { reapRuns } from '../../lib/run/reap.ts';
import { isAwaited, sweepAwaited } from '../../lib/run/receipt/awaited.ts';
import { writeTree } from './hostileTree.ts';
import { addRun, deadLine, foreign, later, liveLine, type Maker, makeFolders, noPlan, standing } from './reap-scene.ts';

export const needs = ['root'];

test('a dead run is freed whole and a live one is left alone', async (t) => {
  const folders = makeFolders(t);
  addRun(folders, 'dead', 1, deadLine('dead'));
  addRun(folders, 'live', 2, liveLine('live'));
  // The same pid, started at another time, is another process.
  addRun(folders, 'before', 3, liveLine('before').replace(/ [0-9]+ (?=[0-9a-f]{8}-)/, ' 1 '));
  const { freed, stuck, quarantined } = await reapRuns(folders, undefined, Date.now());
  t.same([[...freed].sort(), stuck, quarantined], [['before', 'dead'], [], []]);
  t.same(standing(folders), ['2', 'live', 'live']);
});

for (const [name, make] of Object.entries(foreign)) {
  test(`a record ${name} is quarantined, and gc goes on`, async (t) => {
    const folders = makeFolders(t);
    const outside = join(dirname(folders.runs), '..', 'outside');
    writeFileSync(outside, deadLine('x'));
    await make(join(folders.records, 'x'), outside);
    addRun(folders, 'victim', 7, liveLine('victim'));
    addRun(folders, 'y', 8, deadLine('y'));
    t.same((await reapRuns(folders, undefined, Date.now())).quarantined, [], 'it may be being written');
    const { quarantined, stuck } = await reapRuns(folders, undefined, later());
    t.match(quarantined, [{ file: join(folders.records, 'x'), why: /^(is|belongs) / }]);
    t.same(stuck, []);
    t.ok(lstatSync(quarantined[0]?.kept ?? '', { throwIfNoEntry: false }), 'it is kept as it was');
    t.same(standing(folders), ['7', 'victim', 'victim'], 'the live run has all that it had');
    t.equal(readFileSync(outside, 'utf8'), deadLine('x'));
    t.match(await reapRuns(folders, undefined, later()), { freed: [], quarantined: [] }, 'once');
  });
}

test('names that are no ids are quarantined, whatever bytes they have', async (t) => {
  const folders = makeFolders(t);
  const names = [
    Buffer.from('a b'),
    Buffer.from([0x61, 0xff, 0xfe]),
    Buffer.from('..x\n'),
    Buffer.from('x'.repeat(255)),
  ];
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${folders.records}/`), name]), deadLine('x'));
  const { quarantined, stuck } = await reapRuns(folders, undefined, later());
  t.equal(quarantined.length, names.length);
  t.ok(quarantined.every(({ file }) => !/[\n\u0080-\u009f]/.test(file)));
  t.same(stuck, []);
  t.same(standing(folders), []);
});

test('an empty record is one that was never written: what has its name is freed', async (t) => {
  const folders = makeFolders(t);
  addRun(folders, 'x', 1, '');
  t.match(await reapRuns(folders, undefined, Date.now()), { freed: [], quarantined: [] });
  t.match(await reapRuns(folders, undefined, Date.now() - 30_000), { freed: [] }, 'the look began before it was made');
  t.equal(standing(folders).length, 3, 'it may be being written');
  t.match(await reapRuns(folders, undefined, later()), { freed: ['x'], stuck: [], quarantined: [] });
  t.same(standing(folders), []);
});

const forSlots: Readonly<Record<string, Maker>> = { ...foreign, empty: (file) => writeFileSync(file, '') };
for (const [name, make] of Object.entries(forSlots)) {
  test(`a slot ${name} is freed only when every live run has one`, async (t) => {
    const folders = makeFolders(t);
    const outside = join(dirname(folders.runs), '..', 'outside');
    writeFileSync(outside, 'live\n');
    addRun(folders, 'live', 7, liveLine('live'));
    rmSync(join(folders.slots, '7'));
    await make(join(folders.slots, '3'), outside);
    writeFileSync(join(folders.slots, '4'), 'gone\n');
    const first = await reapRuns(folders, undefined, later());
    t.match(first, { stuck: [], quarantined: [], slots: 1 }, 'it may be the slot of the live run');
    t.same(readdirSync(folders.slots), ['3']);
    writeFileSync(join(folders.slots, '7'), 'live\n');
    const { quarantined, slots } = await reapRuns(folders, undefined, later());
    t.equal(quarantined.length + slots, 1);
    t.same(readdirSync(folders.slots), ['7']);
    t.equal(readFileSync(outside, 'utf8'), 'live\n');
  });
}

test('a run folder without a record is removed, a link in its place never followed', async (t) => {
  const folders = makeFolders(t);
  const outside = join(dirname(folders.runs), '..', 'outside');
  writeTree(outside, { kept: 'x' });
  addRun(folders, 'live', 7, liveLine('live'));
  symlinkSync(outside, join(folders.runs, 'link'));
  writeTree(join(folders.runs, 'orphan'), { 'a/b': '' });
  symlinkSync(outside, join(folders.runs, 'orphan', 'inner'));
  t.match(await reapRuns(folders, undefined, Date.now()), { stuck: [] });
  t.same(readdirSync(folders.runs), ['live']);
  t.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'x');
});

test('the bundle that a launcher wrote before its folder was made stays while that lives, and goes with it', async (t) => {
  const folders = makeFolders(t);
  for (const id of ['live', 'dead'])
    addRun(folders, id, id === 'live' ? 7 : 8, id === 'live' ? liveLine(id) : deadLine(id));
  for (const id of ['live', 'dead', 'orphan']) writeFileSync(join(folders.runs, `${id}.json`), '{}');
  t.match(await reapRuns(folders, undefined, Date.now()), { freed: ['dead'], stuck: [], quarantined: [] });
  t.same(readdirSync(folders.runs), ['live', 'live.json']);
});

test('what cannot be moved aside is told and keeps nothing else from being freed', async (t) => {
  const folders = makeFolders(t);
  writeFileSync(join(dirname(folders.records), 'quarantine'), 'a file where the folder should be');
  writeFileSync(join(folders.records, 'x'), 'damaged');
  addRun(folders, 'y', 8, deadLine('y'));
  t.match(await reapRuns(folders, undefined, later()), { freed: ['y'], stuck: [{ id: 'x' }], quarantined: [] });
});

test('twenty at once free each run once and nothing that began meanwhile', async (t) => {
  const folders = makeFolders(t);
  for (let n = 0; n < 40; n++) addRun(folders, `d${n}`, n, deadLine(`d${n}`));
  const all = await Promise.all(Array.from({ length: 20 }, () => reapRuns(folders, undefined, Date.now())));
  t.equal(all.flatMap(({ freed }) => freed).length, 40);
  t.same(
    all.flatMap(({ stuck }) => stuck),
    [],
  );
  t.same(standing(folders), []);
});

test('an awaited marker of no process of ours says nothing and is taken away', async (t) => {
  const folders = makeFolders(t);
  const outside = join(dirname(folders.runs), 'outside');
  writeFileSync(outside, liveLine('x'));
  const makers: Readonly<Record<string, Maker>> = { ...foreign, dead: (file) => writeFileSync(file, deadLine('x')) };
  for (const [name, make] of Object.entries(makers)) {
    await make(join(folders.awaited, 'x'), outside);
    t.notOk(isAwaited(folders.awaited, 'x'), name);
    t.same(readdirSync(folders.awaited), []);
  }
  t.ok(statSync(outside).isFile());
  writeFileSync(join(folders.awaited, 'x'), liveLine('x'));
  writeFileSync(join(folders.awaited, 'y'), deadLine('y'));
  sweepAwaited(folders.awaited);
  t.same(readdirSync(folders.awaited), ['x']);
});

test('a record is one line of our form or nothing', (t) => {
  t.match(parseLiveRecord(deadLine('a')), { id: 'a', pid: 1, started: '1', plan: noPlan });
  for (const text of [
    '',
    '\n',
    deadLine('a').trimEnd(),
    ` ${deadLine('a')}`,
    deadLine('a b'),
    deadLine('a').replace('1 1', '-1 1'),
  ])
    t.equal(parseLiveRecord(text), undefined, JSON.stringify(text));
  t.end();
});
