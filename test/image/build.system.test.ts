// Needs: mmdebstrap, uidmap, a user with 65,536 subordinate ids (root: the user `cofferdam`), Debian's archive in reach.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { streamTool, systemPath } from '../../lib/base/exec.ts';
import { type BuildInput, buildImage } from '../../lib/image/build.ts';
import { loadDefinition } from '../../lib/image/definition.ts';
import { findImage } from '../../lib/image/find.ts';
import { lockPath } from '../../lib/image/lock.ts';
import { openPartial } from '../../lib/image/partial.ts';
import { readRegistry } from '../../lib/image/registry.ts';
import { ownFolder } from './fixtures.ts';

const install = join(import.meta.dirname, '../..');
const uid = process.getuid?.() ?? 0;
const user = { name: '', uid, gid: process.getgid?.() ?? 0 };

/** An install folder of the test's own, so that locks are not written into the repository. */
function copyInstall(folder: string): string {
  const copy = join(folder, 'install');
  mkdirSync(copy);
  cpSync(join(install, 'images'), join(copy, 'images'), { recursive: true });
  return copy;
}

function inputFor(folder: string, from: string, change: Partial<BuildInput> = {}): BuildInput {
  return {
    definition: loadDefinition(from, 'base-tools'),
    store: join(folder, 'store'),
    install: from,
    uid,
    lock: 'report',
    sourcesOverride: '/etc/cofferdam/debian.sources',
    env: {},
    now: () => new Date(),
    signal: new AbortController().signal,
    onStep: () => {},
    ...change,
  };
}

function outsideFolders(): string[] {
  return readdirSync('/var/tmp').filter((name) => name.startsWith(`cofferdam-${uid}-`));
}

test('two builds of base-tools have one digest; the lock is met, and drift from it is refused', async (t) => {
  t.setTimeout(280_000);
  const folder = ownFolder(t);
  const from = copyInstall(folder);
  const first = await buildImage(inputFor(folder, from, { lock: 'update' }));
  const other = await buildImage(inputFor(folder, from, { lock: 'require', store: join(folder, 'other') }));
  t.equal(other.record.digest, first.record.digest);
  const { rootfs, directory } = findImage('base-tools', [join(folder, 'store')]);
  t.equal(readFileSync(join(rootfs, 'etc/hostname'), 'utf8'), 'sandbox\n');
  t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), '');
  t.equal(readFileSync(join(rootfs, 'etc/hosts'), 'utf8'), '127.0.0.1\tlocalhost\n::1\tlocalhost\n');
  for (const trace of ['etc/machine-id', 'etc/apt/sources.list', 'var/cache/ldconfig', 'var/lib/dpkg/status-old']) {
    t.notOk(existsSync(join(rootfs, trace)), trace);
  }
  t.match(readFileSync(join(rootfs, 'etc/passwd'), 'utf8'), /^sandbox:x:65532:65532::\/workspace:\/bin\/sh$/m);
  const bills = [directory, findImage('base-tools', [join(folder, 'other')]).directory].map((place) =>
    readFileSync(join(place, 'sbom.cdx.json'), 'utf8'),
  );
  t.equal(bills[0], bills[1], 'and one bill of materials');

  const lock = lockPath(join(from, 'images/base-tools'), first.record.arch);
  writeFileSync(lock, readFileSync(lock, 'utf8').replace(/("name":"bash","version":")[^"]+/, '$10.1-1'));
  await t.rejects(buildImage(inputFor(folder, from, { lock: 'require', store: join(folder, 'third') })), {
    code: 'IMAGE_DIGEST',
    details: [/^bash:\w+ 0\.1-1 → /],
  });
  t.same(readdirSync(join(folder, 'third')), ['.lock']);
});

test('a build that is stopped leaves nothing', async (t) => {
  t.setTimeout(120_000);
  const folder = ownFolder(t);
  const abort = new AbortController();
  const onStep = (step: string) => {
    if (step === 'installing the base') abort.abort(new Error('stopped by the test'));
  };
  const before = outsideFolders();
  const input = inputFor(folder, copyInstall(folder), { signal: abort.signal, onStep });
  await t.rejects(buildImage(input), { message: 'stopped by the test' });
  t.same(readdirSync(join(folder, 'store')), ['.lock']);
  t.same(outsideFolders(), before);
});

test('a build that is killed leaves no image and no process, and what it left is swept by the next', async (t) => {
  t.setTimeout(120_000);
  const folder = ownFolder(t);
  const store = join(folder, 'store');
  const before = outsideFolders();
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
      if (said.includes('installing the base')) reached();
    },
    stderr: () => {},
  });
  await Promise.race([installing, child.ended]);
  t.match(said, 'installing the base');
  child.kill('SIGKILL');
  t.equal((await child.ended).signal, 'SIGKILL');
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
  t.same(outsideFolders(), before);
});
