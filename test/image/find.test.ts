import { mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { findImage, registryFiles } from '../../lib/image/find.ts';
import { readRegistry, withRecord } from '../../lib/image/registry.ts';
import { digestOf, installImage, makeRecord, ownFolder } from './fixtures.ts';

test('finds the newest build, or the pinned one', async (t) => {
  const store = ownFolder(t);
  installImage(store, makeRecord({ digest: digestOf('a') }));
  const directory = installImage(store, makeRecord({ digest: digestOf('b') }));
  t.equal(findImage('small', [store]).digest, digestOf('b'));
  t.equal(findImage('small', [store]).rootfs, join(directory, 'rootfs'));
  t.equal(findImage('small', [store], digestOf('a')).digest, digestOf('a'));
  t.notMatch(directory.slice(store.length), /:/, 'no colon: it would end a field of a mount option');
});

test('searches the stores in order', async (t) => {
  const [own, system] = [ownFolder(t), ownFolder(t)];
  installImage(system, makeRecord({ digest: digestOf('a') }));
  t.equal(findImage('small', [own, system]).digest, digestOf('a'));
  installImage(own, makeRecord({ digest: digestOf('b') }));
  t.equal(findImage('small', [own, system]).digest, digestOf('b'));
  t.same(registryFiles([own, system]), [join(own, 'registry.json'), join(system, 'registry.json')]);
});

test('refuses an image that is not built, with the command that builds it', async (t) => {
  t.throws(() => findImage('small', [ownFolder(t)]), {
    code: 'IMAGE_NOT_BUILT',
    remedy: 'build it: sandbox image build small',
  });
});

test('refuses an unknown name with near ones', async (t) => {
  const store = ownFolder(t);
  installImage(store, makeRecord());
  t.throws(() => findImage('smal', [store], undefined, ['other']), { code: 'IMAGE_UNKNOWN', message: /"small"/ });
  t.throws(() => findImage('../x', [store]), { code: 'IMAGE_UNKNOWN' });
});

test('refuses a digest that is not here', async (t) => {
  const store = ownFolder(t);
  installImage(store, makeRecord());
  t.throws(() => findImage('small', [store], digestOf('c')), { code: 'IMAGE_DIGEST' });
});

test('refuses a build for another architecture as not built', async (t) => {
  const store = ownFolder(t);
  installImage(store, makeRecord({ arch: 'sparc' }));
  t.throws(() => findImage('small', [store]), { code: 'IMAGE_NOT_BUILT' });
});

test("refuses what the registry forbids; a copy in the user's own store does not get around it", async (t) => {
  const [own, system] = [ownFolder(t), ownFolder(t)];
  installImage(system, makeRecord({ allowed: false }));
  t.throws(() => findImage('small', [system]), { code: 'IMAGE_NOT_ALLOWED' });
  installImage(own, makeRecord({ digest: digestOf('b') }));
  t.throws(() => findImage('small', [own, system]), { code: 'IMAGE_NOT_ALLOWED' });
});

test('a new build of a forbidden image stays forbidden', async (t) => {
  const before = withRecord({ format: 1, images: [] }, makeRecord({ allowed: false }));
  const after = withRecord(before, makeRecord({ digest: digestOf('b') }));
  t.equal(after.images.at(-1)?.allowed, false);
});

test('refuses a root filesystem whose mount point became a link after the build', async (t) => {
  const store = ownFolder(t);
  const rootfs = join(installImage(store, makeRecord()), 'rootfs');
  rmdirSync(join(rootfs, 'sys'));
  symlinkSync('/sys', join(rootfs, 'sys'));
  t.throws(() => findImage('small', [store]), { code: 'IMAGE_UNSAFE', message: /\/sys is a link/ });
});

test('refuses a registry that is damaged, and never takes it for an empty one', async (t) => {
  const store = ownFolder(t);
  writeFileSync(join(store, 'registry.json'), '{"format":1,"images":[');
  t.throws(() => findImage('small', [store]), { code: 'CONFIG_INVALID' });
  writeFileSync(join(store, 'registry.json'), '{"format":1,"images":[],"more":1}');
  t.throws(() => readRegistry(store), { code: 'CONFIG_INVALID', message: /unknown key/ });
  writeFileSync(join(store, 'registry.json'), JSON.stringify({ format: 1, images: [makeRecord({ name: '../../x' })] }));
  t.throws(() => readRegistry(store), { code: 'CONFIG_INVALID' });
  const folder = ownFolder(t);
  mkdirSync(join(folder, 'registry.json'));
  t.throws(() => readRegistry(folder), { code: 'CONFIG_UNREADABLE' });
});
