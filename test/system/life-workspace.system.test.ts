// Owns the proof of writable folders and copies of sandboxes that live on: looked through once at any end, and nobody beside them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { inspect, killSupervisor, type Made, make, refused } from './lifeScene.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, sandboxFile, testAsBoth, testAsUser, until } from './scene.ts';
import { readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools');
tap.setTimeout(900_000);

let count = 0;

/** A folder of the caller's; run by root, of another user's, because root's own is lent to no sandbox. */
function makeFolder(t: Test, scene: Scene): string {
  count += 1;
  const folder = join(scene.home, `project-${count}`);
  mkdirSync(join(folder, '.git'), { recursive: true });
  writeFileSync(join(folder, '.git/HEAD'), 'x');
  writeFileSync(join(folder, '.git/config'), 'mine');
  writeFileSync(join(folder, 'file'), 'first\n');
  const owner = scene.uid === 0 ? '12345:12345' : `${scene.uid}:${scene.gid}`;
  runToolSync('chown', ['-R', owner, folder]);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** But for one that was being written when its writer was killed: gc removes it after a minute (SECURITY.md). */
function claimsOf(scene: Scene, folder: string): string[] {
  const claims = join(scene.paths.state, 'claims');
  const names = existsSync(claims) ? readdirSync(claims).filter((name) => !name.endsWith('.new')) : [];
  return names.filter((name) => readSoft(join(claims, name)).includes(folder));
}

const planting = 'echo evil >.envrc; echo changed >file; echo ready';

async function awaitPlanted(folder: string): Promise<void> {
  if (!(await until(() => readSoft(join(folder, 'file')) === 'changed\n'))) throw new Error('nothing was written');
}

async function makeWriter(t: Test, scene: Scene, folder: string, then = 'exec sleep 1000'): Promise<Made> {
  const made = await make(t, scene, ['-w', `${folder}:rw`, '--', 'sh', '-c', `${planting}; ${then}`]);
  await awaitPlanted(folder);
  return made;
}

testAsBoth('what it planted is set aside when it ends by itself, though nobody calls', async (t, scene) => {
  const folder = makeFolder(t, scene);
  const made = await makeWriter(t, scene, folder, 'until [ -e go ]; do sleep 0.05; done');
  t.ok(existsSync(join(folder, '.envrc')), 'while it lives it is there');
  writeFileSync(join(folder, 'go'), '');
  t.ok(await until(() => !existsSync(join(folder, '.envrc')) && claimsOf(scene, folder).length === 0));
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'changed\n', 'the rest stays');
  const waited = await scene.call(['wait', made.name]);
  t.match(waited, {
    status: 0,
    stdout: '0\n',
    stderr: /set aside, because it would run code on this host: \.envrc → /,
  });
  const [, kept = ''] = /→ (.*)\n/.exec(waited.stderr) ?? [];
  t.equal(readFileSync(kept, 'utf8'), 'evil\n');
});

testAsBoth('while it lives nobody else writes there, and guarded places are read-only', async (t, scene) => {
  const folder = makeFolder(t, scene);
  const made = await makeWriter(t, scene, folder);
  for (const mode of ['rw', 'copy']) {
    const { result } = await scene.runJson(['-p', 'base-tools', '-w', `${folder}:${mode}`, '--', 'true']);
    t.match(result, { exitCode: 125, error: { message: /is in use by another sandbox that may write/ } }, mode);
  }
  refused(t, await scene.call(['create', '-p', 'base-tools', '-w', `${folder}:rw`]), /is in use/);
  const denied = await scene.sandbox(['exec', made.name, '--', 'sh', '-c', 'echo x >.git/config']);
  t.match(denied.stderr, /Read-only file system/);
  const stopped = await scene.call(['stop', made.name]);
  t.match(stopped, { status: 0, stderr: /set aside, because .*\.envrc/ });
  t.strictSame(claimsOf(scene, folder), []);
  t.equal(readFileSync(join(folder, '.git/config'), 'utf8'), 'mine');
  const { result } = await scene.runJson(['-p', 'base-tools', '-w', `${folder}:rw`, '--', 'cat', 'file']);
  t.match(result, { exitCode: 0, stdout: 'changed\n' });
});

testAsBoth('of many who notice the end one sees to the folder, and all know what was set aside', async (t, scene) => {
  const folder = makeFolder(t, scene);
  const made = await makeWriter(t, scene, folder);
  const waits = [1, 2].map(() => scene.sandbox(['wait', made.name]));
  const calls = [scene.sandbox(['stop', made.name]), scene.sandbox(['gc']), scene.call(['stop', made.name])];
  for (const { stderr } of await Promise.all(waits)) t.match(stderr, /^sandbox: set aside[^\n]*\n$/);
  await Promise.all(calls);
  const kept = readdirSync(join(scene.paths.state, 'set-aside')).filter((name) => name.startsWith(made.id));
  t.equal(kept.length, 2, kept.join(' '));
  t.notOk(existsSync(join(folder, '.envrc')));
});

// Of root's own, whoever starts something next on this host would be told: that is proven on a host of its own (killed-at-node).
testAsUser('after SIGKILL of its supervisor the next call frees it and looks the folder through', async (t, scene) => {
  for (const next of ['gc', 'rm', 'start']) {
    const folder = makeFolder(t, scene);
    const made = await makeWriter(t, scene, folder);
    await killSupervisor(scene, made);
    t.equal(claimsOf(scene, folder).length, 1, 'until then it is nobody’s');
    if (next === 'start') rmSync(join(folder, 'file'));
    t.equal((await scene.call(next === 'gc' ? ['gc'] : [next, made.name])).status, 0);
    if (next === 'start') {
      await awaitPlanted(folder);
      t.match(await scene.call(['rm', '-f', made.name]), { status: 0, stderr: /set aside/ });
      t.equal(
        readdirSync(join(scene.paths.state, 'set-aside')).filter((name) => name.startsWith(`${made.id}-1`)).length,
        2,
      );
    }
    t.notOk(existsSync(join(folder, '.envrc')), next);
    t.strictSame(claimsOf(scene, folder), [], next);
  }
});

testAsUser('a start that is killed at any moment leaves a sandbox with its claim, or neither', async (t, scene) => {
  for (const delay of [40, 80, 120, 160, 200, 260, 340, 600]) {
    const folder = makeFolder(t, scene);
    const words = ['-w', `${folder}:rw`, '--', 'sh', '-c', `${planting}; exec sleep 1000`];
    const made = await make(t, scene, words, false);
    const started = scene.spawn(sandboxFile, ['start', made.name]);
    await new Promise((done) => setTimeout(done, delay));
    started.child.kill('SIGKILL');
    await started.ended;
    // What was launched comes up or goes away, in its own time.
    let [status, planted] = ['', true];
    for (let look = 0; look === 0 || (look < 60 && planted !== (status === 'running')); look++) {
      await until(() => existsSync(join(folder, '.envrc')), 1);
      await scene.call(['gc']);
      status = (await inspect(scene, made)).state.status;
      planted = existsSync(join(folder, '.envrc'));
    }
    t.equal(planted, status === 'running', `${delay} ms: ${status}`);
    t.equal(claimsOf(scene, folder).length, status === 'running' ? 1 : 0, `${delay} ms: ${status}`);
    t.equal((await scene.call(['rm', '-f', made.name])).status, 0);
    t.notOk(existsSync(join(folder, '.envrc')), `${delay} ms`);
    t.strictSame(claimsOf(scene, folder), []);
    t.strictSame(scene.traces(`${made.id}-1`), []);
  }
});

testAsBoth(
  'a copy is reviewed and applied when the sandbox has ended, and each start copies anew',
  async (t, scene) => {
    const folder = makeFolder(t, scene);
    const script = 'cat file; echo from-inside >file; echo ready; exec sleep 1000';
    const made = await make(t, scene, ['-w', `${folder}:copy`, '--', 'sh', '-c', script]);
    const logs = async () => (await scene.call(['logs', made.name])).stdout;
    const ready = async (times: number) => {
      for (let look = 0; look < 2400; look++) {
        if ((await logs()).split('ready\n').length > times) return;
        await new Promise((done) => setTimeout(done, 50));
      }
      throw new Error('it is not ready');
    };
    await ready(1);
    t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'first\n');
    refused(t, await scene.call(['diff', made.name]), /has not ended/);
    t.match(await scene.call(['stop', made.name]), { stderr: new RegExp(`sandbox diff ${made.id}-1;`) });
    t.match(await scene.call(['diff', made.name]), { status: 0, stdout: /^-first\n\+from-inside$/m });
    t.match(await scene.call(['apply', made.name]), { status: 0, stdout: /1 changes applied/ });
    t.equal((await scene.call(['start', made.name])).status, 0);
    await ready(2);
    t.match(await logs(), /^first\nready\nfrom-inside\nready\n$/);
    t.equal((await scene.call(['rm', '-f', made.name])).status, 0);
    for (const start of [1, 2])
      t.equal((await scene.call(['apply', '--discard', `${made.id}-${start}`])).status, 0, 'copies outlive it');
  },
);

testAsBoth('one that ends at once gives the folder back', async (t, scene) => {
  const folder = makeFolder(t, scene);
  const made = await make(t, scene, ['-w', `${folder}:rw`, '--', 'sh', '-c', planting]);
  t.ok(await until(() => claimsOf(scene, folder).length === 0));
  t.notOk(existsSync(join(folder, '.envrc')));
  t.match(await scene.call(['wait', made.name]), { status: 0, stdout: '0\n', stderr: /set aside/ });
});
