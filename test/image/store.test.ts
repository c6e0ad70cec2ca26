import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { digestTree } from '../../lib/image/archive.ts';
import { openPartial } from '../../lib/image/partial.ts';
import { publishImage } from '../../lib/image/publish.ts';
import { readRegistry } from '../../lib/image/registry.ts';
import { chooseRecords, removeImages, usersOf } from '../../lib/image/remove.ts';
import { digestOf, installImage, makeRecord, ownFolder } from './fixtures.ts';

const uid = process.getuid?.() ?? 0;
const user = { name: '', uid, gid: process.getgid?.() ?? 0 };

test('a build sweeps what dead builds left, and leaves living ones alone', async (t) => {
  const store = join(ownFolder(t), 'store');
  const living = await openPartial(store, uid, user);
  mkdirSync(join(store, '.partial-dead/work'), { recursive: true });
  writeFileSync(join(store, '.partial-dead/lock'), '');
  mkdirSync(join(store, '.partial-older'));
  const next = await openPartial(store, uid, user);
  t.notOk(existsSync(join(store, '.partial-dead')));
  t.notOk(existsSync(join(store, '.partial-older')));
  t.ok(existsSync(living.image));
  await Promise.all([living.close(), next.close()]);
  t.same(readdirSync(store), ['.lock']);
});

test('two builds of one image at once leave one image, intact', async (t) => {
  const store = join(ownFolder(t), 'store');
  const partials = await Promise.all([openPartial(store, uid, user), openPartial(store, uid, user)]);
  const ready = partials.map(async (partial) => {
    mkdirSync(join(partial.image, 'rootfs/etc'), { recursive: true });
    const { digest } = await digestTree(join(partial.image, 'rootfs'));
    await publishImage(store, partial.image, makeRecord({ digest }));
    await partial.close();
  });
  await Promise.all(ready);
  const { images } = readRegistry(store);
  t.equal(images.length, 1);
  t.same(readdirSync(store).sort(), ['.lock', 'registry.json', 'small']);
  t.equal(readdirSync(join(store, 'small')).length, 1);
});

test('many different builds at once are all in the registry', async (t) => {
  const store = join(ownFolder(t), 'store');
  await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (digit) => {
      const partial = await openPartial(store, uid, user);
      mkdirSync(join(partial.image, 'rootfs'));
      await publishImage(store, partial.image, makeRecord({ digest: digestOf(digit) }));
      await partial.close();
    }),
  );
  t.equal(readRegistry(store).images.length, 4);
});

test('building again mends an image that was changed on disk', async (t) => {
  const store = join(ownFolder(t), 'store');
  const publish = async () => {
    const partial = await openPartial(store, uid, user);
    mkdirSync(join(partial.image, 'rootfs/etc'), { recursive: true });
    const { digest } = await digestTree(join(partial.image, 'rootfs'));
    await publishImage(store, partial.image, makeRecord({ digest }));
    await partial.close();
    return join(store, 'small', digest.replace(':', '-'), 'rootfs');
  };
  const rootfs = await publish();
  chmodSync(join(rootfs, 'etc'), 0o755);
  writeFileSync(join(rootfs, 'etc/evil'), 'x');
  await publish();
  t.notOk(existsSync(join(rootfs, 'etc/evil')));
  t.ok(existsSync(join(rootfs, 'etc')));
});

test('removes builds by name, by digest, and all but the newest', async (t) => {
  const store = ownFolder(t);
  for (const digit of ['a', 'b', 'c']) installImage(store, makeRecord({ digest: digestOf(digit) }));
  const { images } = readRegistry(store);
  t.equal(chooseRecords(images, { name: 'small' }).length, 3);
  t.same(
    chooseRecords(images, { name: 'small', old: true }).map(({ digest }) => digest),
    [digestOf('a'), digestOf('b')],
  );
  const chosen = chooseRecords(images, { name: 'small', digest: digestOf('a') });
  await removeImages(store, chosen, false);
  t.same(
    readRegistry(store).images.map(({ digest }) => digest),
    [digestOf('b'), digestOf('c')],
  );
  t.equal(readdirSync(join(store, 'small')).length, 2);
});

test('refuses to remove an image that a sandbox runs on, unless forced', async (t) => {
  const store = ownFolder(t);
  const directory = installImage(store, makeRecord());
  const proc = ownFolder(t);
  mkdirSync(join(proc, '42'));
  // Field 4 is the path inside the file system; the mount is seen at / inside the sandbox.
  writeFileSync(join(proc, '42/mountinfo'), `36 35 98:0 /data${directory}/rootfs / ro,nosuid - ext4 /dev/vda rw\n`);
  mkdirSync(join(proc, '43'));
  writeFileSync(join(proc, '43/mountinfo'), '36 35 98:0 / / rw - ext4 /dev/vda rw\n');
  t.same(usersOf(directory, proc), [42]);
  const { images } = readRegistry(store);
  await t.rejects(removeImages(store, images, false, proc), { code: 'IMAGE_IN_USE', message: /pid 42/ });
  t.ok(existsSync(directory));
  await removeImages(store, images, true, proc);
  t.notOk(existsSync(directory));
});
