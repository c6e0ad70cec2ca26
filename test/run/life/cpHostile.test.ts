// Owns the promises of cp against a sandbox that sends what no honest tar sends.
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { copyOut } from '../../../lib/run/life/cpOut.ts';
import { makeTar, type TarEntry } from '../../image/tarball.ts';
import { answering, openScene, refusalOf } from './cpScene.ts';

const tree: TarEntry = { path: 'tree/', type: 'Directory' };

async function attempt(t: Parameters<typeof openScene>[0], bytes: Uint8Array, exitCode = 0) {
  const { host, request } = openScene(t);
  mkdirSync(join(host, 'results'));
  writeFileSync(join(host, 'victim'), 'mine');
  const copying = copyOut(
    { ...request('x', { runInside: answering(bytes, exitCode) }), inside: '/workspace/tree' },
    { cwd: join(host, 'results'), target: '.', writable: undefined, floor: 0 },
  );
  const refusal = await refusalOf(copying);
  return { refusal, host, results: readdirSync(join(host, 'results')) };
}

const lies: [string, TarEntry[]][] = [
  ['a path that climbs', [tree, { path: 'tree/../../victim', body: 'bad' }]],
  ['an absolute path', [tree, { path: '/tmp/victim', body: 'bad' }]],
  ['a path of its own choice', [tree, { path: 'other', body: 'bad' }]],
  ['a path with an empty step', [tree, { path: 'tree//a', body: 'bad' }]],
  ['a file below a file', [tree, { path: 'tree/a', body: 'x' }, { path: 'tree/a/b', body: 'bad' }]],
  [
    'a file below a link',
    [tree, { path: 'tree/l', type: 'SymbolicLink', linkpath: '../..' }, { path: 'tree/l/victim', body: 'bad' }],
  ],
  ['a file twice', [tree, { path: 'tree/a', body: 'x' }, { path: 'tree/a', body: 'bad' }]],
  ['a file below nothing', [{ path: 'tree/a', body: 'bad' }]],
  ['a link in place of the folder', [{ path: 'tree', type: 'SymbolicLink', linkpath: '../victim' }]],
  ['a device in place of the folder', [{ path: 'tree', type: 'CharacterDevice' }]],
  ['nothing', []],
];

for (const [what, entries] of lies) {
  test(`refuses ${what} and keeps nothing`, async (t) => {
    const { refusal, host, results } = await attempt(t, makeTar(entries));
    t.equal(refusal.code, 'CP_REFUSED', refusal.text);
    t.same(results, []);
    t.equal(readFileSync(join(host, 'victim'), 'utf8'), 'mine');
  });
}

test('keeps an honest tar, and that alone', async (t) => {
  const { refusal, results } = await attempt(t, makeTar([tree, { path: 'tree/a', body: 'x' }]));
  t.equal(refusal.code, 'none', 'the control');
  t.same(results, ['tree']);
});

test('makes no link or device of those that a tar holds', async (t) => {
  const entries: TarEntry[] = [
    tree,
    { path: 'tree/s', type: 'SymbolicLink', linkpath: '/etc/passwd' },
    { path: 'tree/h', type: 'Link', linkpath: 'tree/a' },
    { path: 'tree/c', type: 'CharacterDevice' },
    { path: 'tree/b', type: 'BlockDevice' },
    { path: 'tree/p', type: 'FIFO' },
    { path: 'tree/g', type: 'ContiguousFile' },
    { path: 'tree/a', body: 'x' },
  ];
  const { refusal, host } = await attempt(t, makeTar(entries));
  t.equal(refusal.code, 'none', refusal.text);
  const made = readdirSync(join(host, 'results/tree'));
  for (const name of made) t.ok(lstatSync(join(host, 'results/tree', name)).isFile(), name);
  t.notOk(made.some((name) => ['s', 'h', 'c', 'b', 'p'].includes(name)));
});

test('refuses a tar that is cut anywhere, and one that is none', async (t) => {
  const whole = makeTar([tree, { path: 'tree/a', body: 'x'.repeat(3000) }]);
  for (const length of [0, 100, 511, 513, 1100, 1024 + 2000]) {
    const { refusal, results } = await attempt(t, whole.subarray(0, length));
    t.equal(refusal.code, 'CP_REFUSED', `${length} bytes`);
    t.same(results, []);
  }
  t.equal((await attempt(t, Buffer.alloc(5000, 'no tar at all'))).refusal.code, 'CP_REFUSED');
});

test('refuses a tar that is compressed: it could be a bomb', async (t) => {
  const { refusal, results } = await attempt(t, gzipSync(makeTar([tree, { path: 'tree/a', body: 'x' }])));
  t.match(refusal, { code: 'CP_REFUSED', text: /compressed/ });
  t.same(results, []);
});

test('refuses a whole tar of a command that failed: a part may be missing', async (t) => {
  const { refusal, results } = await attempt(t, makeTar([tree, { path: 'tree/a', body: 'x' }]), 2);
  t.equal(refusal.code, 'CP_REFUSED');
  t.same(results, []);
});

test('refuses a name of megabytes', async (t) => {
  const name = 'n'.repeat(3 << 20);
  const record = ` path=tree/${name}\n`;
  const pax = Buffer.from(`${record.length + String(record.length + 7).length}${record}`);
  const header = makeTar([{ path: 'x', type: 'ExtendedHeader', body: pax.toString() }]).subarray(0, -1024);
  const { results } = await attempt(t, Buffer.concat([header, makeTar([tree, { path: 'tree/a', body: 'x' }])]));
  for (const result of results) t.ok(result.length < 256);
});

test('refuses a flood of folders and links', async (t) => {
  const links = Array.from(
    { length: 5000 },
    (_, i): TarEntry => ({ path: `tree/${i}`, type: 'SymbolicLink', linkpath: 'x' }),
  );
  const { refusal, results } = await attempt(t, makeTar([tree, ...links]));
  t.match(refusal, { code: 'CP_REFUSED', text: /more than/ });
  t.same(results, []);
});
