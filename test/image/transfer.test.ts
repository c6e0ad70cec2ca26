import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { digestTree } from '../../lib/image/archive.ts';
import { findImage } from '../../lib/image/find.ts';
import { readRegistry } from '../../lib/image/registry.ts';
import { loadImage, saveImage } from '../../lib/image/transfer.ts';
import { digestOf, installImage, makeRecord, ownFolder } from './fixtures.ts';
import { makeTar, rootfsEntries, type TarEntry } from './tarball.ts';

const uid = process.getuid?.() ?? 0;
const signal = new AbortController().signal;

async function digestOfTar(folder: string, entries: readonly TarEntry[]) {
  const root = mkdtempSync(join(folder, 'tree-'));
  for (const { path, type, body = '', mode } of entries) {
    if (type === 'Directory') mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), body, { mode: mode ?? 0o644 });
  }
  return digestTree(root);
}

function load(folder: string, entries: readonly TarEntry[], digest?: string) {
  const file = join(folder, 'x.image');
  writeFileSync(file, makeTar(entries));
  const user = { name: '', uid, gid: process.getgid?.() ?? 0 };
  return loadImage({ file, store: join(folder, 'store'), user, uid, digest, signal });
}

/** The outer tar for `tree`, whose image.json claims `change`. */
function saved(tree: Buffer, change: Parameters<typeof makeRecord>[0]): TarEntry[] {
  return [
    { path: 'image.json', body: JSON.stringify(makeRecord(change)) },
    { path: 'packages.json', body: '[]' },
    { path: 'sbom.cdx.json', body: '{}' },
    { path: 'rootfs.tar', body: tree.toString('latin1') },
  ];
}

test('an image that was saved is loaded with the same digest, readable by all', async (t) => {
  const folder = ownFolder(t);
  const { digest, bytes } = await digestOfTar(folder, rootfsEntries);
  const store = join(folder, 'from');
  installImage(store, makeRecord({ digest, bytes }));
  const file = join(folder, 'small.image');
  await saveImage(findImage('small', [store]), file, signal);
  const user = { name: '', uid, gid: process.getgid?.() ?? 0 };
  const to = join(folder, 'to');
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const record = await loadImage({ file, store: to, user, uid, digest, signal });
  t.equal(record.digest, digest);
  const found = findImage('small', [to], digest);
  t.same((await digestTree(found.rootfs)).digest, digest);
  for (const path of [to, join(to, 'registry.json'), found.directory, join(found.directory, 'image.json')]) {
    t.equal(statSync(path).mode & 0o055, statSync(path).isDirectory() ? 0o055 : 0o044, path);
  }
  t.same(readdirSync(to).sort(), ['.lock', 'registry.json', 'small'], 'nothing partial is left');
});

test('refuses a tree that is not the one image.json or the caller names, and keeps nothing', async (t) => {
  const folder = ownFolder(t);
  const tree = makeTar(rootfsEntries);
  await t.rejects(load(folder, saved(tree, {})), { code: 'IMAGE_DIGEST' });
  const { digest } = await digestOfTar(folder, rootfsEntries);
  await t.rejects(load(folder, saved(tree, { digest }), digestOf('c')), { code: 'IMAGE_DIGEST' });
  t.same(readRegistry(join(folder, 'store')).images, []);
  t.same(readdirSync(join(folder, 'store')), ['.lock']);
  await t.resolves(load(folder, saved(tree, { digest }), digest), 'the same file is taken when all is right');
});

const inner = (extra: TarEntry) => saved(makeTar([...rootfsEntries, extra]), {});

for (const [fault, entries] of [
  ['a path out of the tree', inner({ path: '../../../evil', body: 'x' })],
  ['a link out of the tree', inner({ path: 'etc/x', type: 'SymbolicLink', linkpath: '../../../etc/passwd' })],
  ['a hard link out of the tree', inner({ path: 'x', type: 'Link', linkpath: '/etc/passwd' })],
  ['a device', inner({ path: 'x', type: 'BlockDevice' })],
  ['a set-id file', inner({ path: 'x', mode: 0o4755 })],
  ['a mount point that is a link', saved(makeTar([{ path: 'proc', type: 'SymbolicLink', linkpath: '/proc' }]), {})],
  ['a file that we did not save', [...saved(makeTar(rootfsEntries), {}), { path: '../evil', body: 'x' }]],
  ['a link for image.json', [{ path: 'image.json', type: 'SymbolicLink' as const, linkpath: '/etc/passwd' }]],
  ['two trees', [...saved(makeTar(rootfsEntries), {}), { path: 'rootfs.tar', body: '' }]],
  ['no image.json', saved(makeTar(rootfsEntries), {}).slice(1)],
  ['no tree', saved(makeTar(rootfsEntries), {}).slice(0, 3)],
] as const) {
  test(`refuses a saved image with ${fault}, and keeps nothing`, async (t) => {
    const folder = ownFolder(t);
    await t.rejects(load(folder, entries), { code: 'IMAGE_UNSAFE' });
    t.same(readdirSync(join(folder, 'store')), ['.lock']);
  });
}

test('refuses a name that is a path and keys that are unknown', async (t) => {
  const tree = makeTar(rootfsEntries);
  await t.rejects(load(ownFolder(t), saved(tree, { name: '../../etc' })), { code: 'CONFIG_INVALID' });
  await t.rejects(load(ownFolder(t), saved(tree, { extra: 1 } as object)), { code: 'CONFIG_INVALID' });
});

test('refuses a file that is no tar, or is missing', async (t) => {
  const folder = ownFolder(t);
  writeFileSync(join(folder, 'x'), 'hello'.repeat(1000));
  const user = { name: '', uid, gid: 0 };
  const input = { store: join(folder, 'store'), user, uid, digest: undefined, signal };
  await t.rejects(loadImage({ ...input, file: join(folder, 'x') }), { code: 'IMAGE_UNSAFE' });
  await t.rejects(loadImage({ ...input, file: join(folder, 'absent') }), { code: 'TOOL_FAILED' });
});

test('refuses to save a tree that has changed, and leaves no file', async (t) => {
  const folder = ownFolder(t);
  const { digest, bytes } = await digestOfTar(folder, rootfsEntries);
  installImage(join(folder, 'from'), makeRecord({ digest, bytes }));
  const image = findImage('small', [join(folder, 'from')]);
  writeFileSync(join(image.rootfs, 'etc/new'), 'x');
  await t.rejects(saveImage(image, join(folder, 'out'), signal), { code: 'IMAGE_UNSAFE' });
  t.notOk(readdirSync(folder).some((name) => name.startsWith('out')));
  t.equal(readFileSync(join(image.rootfs, 'etc/new'), 'utf8'), 'x');
});
