import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { digestTree } from '../../lib/image/archive.ts';
import { extractTar, imageEpoch } from '../../lib/image/extract.ts';
import { checkRootfs } from '../../lib/image/rootfs.ts';
import { ownFolder } from './fixtures.ts';
import { makeTar, rootfsEntries, type TarEntry } from './tarball.ts';

async function extract(folder: string, tar: Buffer, options: Parameters<typeof extractTar>[2]) {
  const root = join(folder, 'root');
  mkdirSync(root);
  writeFileSync(join(folder, 'a.tar'), tar);
  return { root, captured: await extractTar(join(folder, 'a.tar'), root, options) };
}

test('unpacks files, links and modes, with one owner and one time', async (t) => {
  const tar = makeTar([
    { path: './', type: 'Directory' },
    { path: './usr/', type: 'Directory', mode: 0o2775 },
    { path: './usr/tool', mode: 0o4755, body: 'x' },
    { path: './usr/same', type: 'Link', linkpath: './usr/tool' },
    { path: './usr/open', mode: 0o666, body: 'y' },
    { path: './bin', type: 'SymbolicLink', linkpath: 'usr' },
    { path: './dev/null', type: 'CharacterDevice' },
    { path: './dev/', type: 'Directory' },
  ]);
  const options = { setId: 'strip', omit: ['dev'], capture: (path: string) => path === 'usr/open' } as const;
  const { root, captured } = await extract(ownFolder(t), tar, options);
  t.equal(lstatSync(join(root, 'usr')).mode & 0o7777, 0o755);
  t.equal(lstatSync(join(root, 'usr/tool')).mode & 0o7777, 0o755, 'no set-id bit');
  t.equal(lstatSync(join(root, 'usr/open')).mode & 0o7777, 0o644, 'writable by the owner only');
  t.equal(lstatSync(join(root, 'usr/tool')).ino, lstatSync(join(root, 'usr/same')).ino);
  t.equal(lstatSync(join(root, 'bin')).mtime.getTime(), imageEpoch * 1000);
  t.equal(lstatSync(join(root, 'usr')).mtime.getTime(), imageEpoch * 1000);
  t.equal(lstatSync(join(root, 'usr/tool')).uid, process.getuid?.());
  t.same(readdirSync(join(root, 'dev')), []);
  t.same(
    [...captured].map(([path, bytes]) => [path, bytes.toString()]),
    [['usr/open', 'y']],
  );
});

const hostile: [string, TarEntry[]][] = [
  ['a path with ..', [{ path: '../evil', body: 'x' }]],
  ['a path with .. in the middle', [{ path: 'a/../../evil', body: 'x' }]],
  ['an absolute path', [{ path: '/tmp/evil', body: 'x' }]],
  [
    'a file below a link',
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '/tmp' },
      { path: 'a/evil', body: 'x' },
    ],
  ],
  [
    'a folder over a link',
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '/tmp' },
      { path: 'a/', type: 'Directory' },
    ],
  ],
  [
    'a file over a link',
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '/tmp/evil' },
      { path: 'a', body: 'x' },
    ],
  ],
  ['a link that climbs out', [{ path: 'a/b', type: 'SymbolicLink', linkpath: '../../etc/passwd' }]],
  ['a hard link out of the tree', [{ path: 'a', type: 'Link', linkpath: '/etc/passwd' }]],
  ['a hard link with ..', [{ path: 'a', type: 'Link', linkpath: '../../etc/passwd' }]],
  [
    'a hard link to a link',
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '/etc/passwd' },
      { path: 'b', type: 'Link', linkpath: 'a' },
    ],
  ],
  ['a character device', [{ path: 'null', type: 'CharacterDevice' }]],
  ['a block device', [{ path: 'disk', type: 'BlockDevice' }]],
  ['a fifo', [{ path: 'pipe', type: 'FIFO' }]],
  ['a set-uid file', [{ path: 'su', mode: 0o4755 }]],
  ['a set-gid folder', [{ path: 'd/', type: 'Directory', mode: 0o2755 }]],
  ['a name that is no UTF-8', [{ path: 'a\ufffd', body: 'x' }]],
];

for (const [fault, entries] of hostile) {
  test(`refuses ${fault}`, async (t) => {
    const folder = ownFolder(t);
    await t.rejects(extract(folder, makeTar(entries), { setId: 'refuse' }), { code: 'IMAGE_UNSAFE' });
    t.same(readdirSync(folder).sort(), ['a.tar', 'root'], 'nothing beside the tree');
    t.notOk(existsSync('/tmp/evil'));
  });
}

test('refuses a tar that is cut off, and one that is none', async (t) => {
  const whole = makeTar([{ path: 'a', body: 'x'.repeat(4000) }]);
  await t.rejects(extract(ownFolder(t), whole.subarray(0, 2000), { setId: 'refuse' }), { code: 'IMAGE_UNSAFE' });
  await t.rejects(extract(ownFolder(t), Buffer.from('x'.repeat(4096)), { setId: 'refuse' }), { code: 'IMAGE_UNSAFE' });
});

test('the digest depends on the tree alone: not on times, and on every mode, name and byte', async (t) => {
  const folder = ownFolder(t);
  const { root } = await extract(folder, makeTar([...rootfsEntries, { path: 'a', body: 'x' }]), { setId: 'refuse' });
  const first = await digestTree(root);
  t.match(first.digest, /^sha256:[0-9a-f]{64}$/);
  const other = await extract(ownFolder(t), makeTar([{ path: 'a', body: 'x' }, ...rootfsEntries]), { setId: 'strip' });
  t.same(await digestTree(other.root), first, 'the order of the archive does not matter');
  writeFileSync(join(root, 'a'), 'y');
  t.not((await digestTree(root)).digest, first.digest);
  t.equal(readFileSync(join(other.root, 'a'), 'utf8'), 'x');
});

test('refuses a root filesystem whose /dev, /proc or /sys is a link, missing or a file', async (t) => {
  for (const name of ['dev', 'proc', 'sys']) {
    const rest = rootfsEntries.filter(({ path }) => path !== `${name}/`);
    for (const instead of [
      [{ path: name, type: 'SymbolicLink', linkpath: 'etc' } as const],
      [{ path: name, body: '' }],
      [],
    ]) {
      const { root } = await extract(ownFolder(t), makeTar([...rest, ...instead]), { setId: 'refuse' });
      t.throws(() => checkRootfs(root), { code: 'IMAGE_UNSAFE', message: new RegExp(`/${name} is`) });
    }
  }
});
