// Needs: mmdebstrap, uidmap, a user with 65,536 subordinate ids (root: the user `cofferdam`), Debian's archive in reach.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { streamTool, systemPath } from '../../lib/base/exec.ts';
import { buildImage } from '../../lib/image/build.ts';
import { loadDefinition } from '../../lib/image/definition.ts';
import { findImage, hostArchitecture } from '../../lib/image/find.ts';
import { lockPath } from '../../lib/image/lock.ts';
import { openPartial } from '../../lib/image/partial.ts';
import { readRegistry } from '../../lib/image/registry.ts';
import { copyInstall, inputFor, outsideFolders, uid } from './build-scene.ts';
import { ownFolder } from './fixtures.ts';

const user = { name: '', uid, gid: process.getgid?.() ?? 0 };

test('refuses drift from the lock when it is required, and keeps nothing', async (t) => {
  t.setTimeout(900_000);
  const folder = ownFolder(t);
  const from = copyInstall(folder);
  const lock = lockPath(join(from, 'images/base-tools'), hostArchitecture());
  writeFileSync(lock, readFileSync(lock, 'utf8').replace(/("name":"bash","version":")[^"]+/, '$10.1-1'));
  const { image, ...definition } = loadDefinition(from, 'base-tools');
  // The base alone has what drifted.
  const small = { ...definition, image: { ...image, packages: image.packages.slice(0, 1) } };
  const thrown = await buildImage(inputFor(folder, from, { definition: small, lock: 'require' })).then(
    () => undefined,
    (error) => error,
  );
  t.match(thrown, { code: 'IMAGE_DIGEST' });
  t.ok(thrown.details.some((line: string) => /^bash:\w+ 0\.1-1 → /.test(line)));
  t.same(readdirSync(join(folder, 'store')), ['.lock']);
});

test('a build that is stopped leaves nothing', async (t) => {
  t.setTimeout(900_000);
  const folder = ownFolder(t);
  const abort = new AbortController();
  let outside: string[] = [];
  const onStep = (step: string) => {
    if (step !== 'unpacking the base') return;
    outside = outsideFolders(join(folder, 'store'));
    abort.abort(new Error('stopped by the test'));
  };
  const input = inputFor(folder, copyInstall(folder), { signal: abort.signal, onStep });
  await t.rejects(buildImage(input), { message: 'stopped by the test' });
  t.same(readdirSync(join(folder, 'store')), ['.lock']);
  t.equal(outside.length, 1);
  t.same(
    outside.filter((place) => existsSync(place)),
    [],
  );
});

test('a build that is killed leaves no image and no process, and what it left is swept by the next', async (t) => {
  t.setTimeout(900_000);
  const folder = ownFolder(t);
  const store = join(folder, 'store');
  let reached = () => {};
  const installing = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let said = '';
  const script = join(import.meta.dirname, 'build-process.ts');
  const child = streamTool(process.execPath, [script, copyInstall(folder), store], {
    env: { PATH: systemPath },
    stdin: 'ignore',
    stdout: (chunk) => {
      said += Buffer.from(chunk).toString();
      if (said.includes('unpacking the base')) reached();
    },
    stderr: () => {},
  });
  await Promise.race([installing, child.ended]);
  t.match(said, 'unpacking the base');
  child.kill('SIGKILL');
  t.equal((await child.ended).signal, 'SIGKILL');
  const outside = outsideFolders(store);
  t.same(readRegistry(store).images, []);
  t.throws(() => findImage('base-tools', [store]), { code: 'IMAGE_NOT_BUILT' });
  // The watch over mmdebstrap ends it as soon as our pipe closes; its lock is free when the last of it is gone.
  let left = ['not looked yet'];
  for (let look = 0; look < 100 && left.length > 0; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const partial = await openPartial(store, uid, user);
    await partial.close();
    left = readdirSync(store).filter((name) => name !== '.lock');
  }
  t.same(left, []);
  t.equal(outside.length, 1);
  t.same(
    outside.filter((place) => existsSync(place)),
    [],
  );
});
