// Tests receipts of real runs: by Node, on the short way, killed, and with names made to hurt whoever reads them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { newId, type Scene, sceneOf, testAsBoth, until } from '../system/scene.ts';

interface Shown {
  readonly verified: boolean;
  readonly statement: { readonly predicate: Record<string, unknown> };
}

async function show(scene: Scene, id: string): Promise<Shown> {
  const { stdout } = await scene.call(['receipt', 'show', '--json', id]);
  return JSON.parse(stdout) as Shown;
}

testAsBoth('a run through Node gives a receipt that verifies at once, artifacts and all', async (t, scene) => {
  const out = join(scene.home, newId());
  const { result } = await scene.runJson([
    ...['-p', 'base-tools', '--artifacts', out, '--label', 'team=a\u001b[31mb'],
    ...['--', 'sh', '-c', 'echo hi >"/artifacts/$(printf "x\\033[31m")"; echo ok >/artifacts/y'],
  ]);
  const { receipt } = result as unknown as { receipt: { file: string; digest: string } };
  const id = result.id ?? '';
  t.match(receipt, { file: /receipts\/.*\.json$/, digest: /^sha256:[0-9a-f]{64}$/ });
  t.match(await scene.call(['receipt', 'verify', id]), { status: 0, stdout: /^PASS/ });
  t.match(await scene.call(['receipt', 'verify', receipt.file]), { status: 0, stdout: /^PASS/ });
  const shown = await show(scene, id);
  t.match(shown, {
    verified: true,
    statement: { predicate: { artifacts: { count: 1, refused: 1 }, result: { status: 'completed' } } },
  });
  t.match(shown.statement.predicate['enforced'], { noNewPrivileges: true, readOnlyRoot: true, network: 'none' });
  const { stdout } = await scene.call(['receipt', 'show', id]);
  t.match(stdout, /assurance {3}self: /);
  t.notMatch(stdout, '\u001b', 'names that a guest or caller chose reach no terminal raw');
  const text = readFileSync(receipt.file, 'utf8');
  const copy = scene.write(`${id}.json`, text.replace('"sig":"', '"sig":"A'));
  t.match(await scene.call(['receipt', 'verify', copy]), { status: 1, stdout: /^FAIL/ });
});

testAsBoth('a run on the short way is completed when somebody asks', async (t, scene) => {
  await scene.run(['-p', 'base-tools', '--', 'true']);
  const id = newId();
  t.match(await scene.sandbox(['run', '-p', 'base-tools', '--id', id, '--', 'sh', '-c', 'exit 3']), { status: 3 });
  t.match(await scene.call(['receipt', 'show', id]), { status: 0, stdout: /^PASS[\s\S]*exit 3/ });
  const { stdout: head } = await scene.call(['audit', 'head']);
  t.match(await scene.call(['audit', 'verify', '--head', head.trim()]), { status: 0, stdout: /^PASS/ });
  t.match(await scene.call(['audit', 'show', '--run', id]), { stdout: /run\.completed/ });
  const { stdout: pem } = await scene.call(['key', 'show']);
  const key = scene.write(`${id}.pem`, pem);
  t.match(await scene.call(['receipt', 'verify', id, '--key', key]), { status: 0 });
});

testAsBoth('a run whose supervisor was killed has a receipt that says so', async (t, scene) => {
  const id = newId();
  const started = scene.spawn(join(scene.paths.install, 'bin/sandbox'), [
    'run',
    '-p',
    'base-tools',
    '--id',
    id,
    '--',
    'sh',
    '-c',
    'echo up; sleep 60',
  ]);
  t.ok(await until(() => started.out().toString().includes('up')));
  const record = join(scene.paths.run, 'records', id);
  process.kill(Number(readFileSync(record, 'utf8').split(' ')[2]), 'SIGKILL');
  await started.ended;
  t.match(await show(scene, id), {
    verified: true,
    statement: { predicate: { result: { status: 'lost', exitCode: null } } },
  });
  await scene.call(['gc']);
  t.notOk(readdirSync(join(scene.paths.run, 'records')).includes(id));
});

// Not as root: its key is the one of this host.
test('refuses to run anything when the key is not ours alone', async (t) => {
  const scene = sceneOf('plain user');
  const folder = newId();
  const state = join(scene.home, folder);
  scene.write(join(folder, 'cofferdam/key'), 'not a key', 0o644);
  const refused = await scene.sandbox(['run', '--json', '-p', 'base-tools', '--', 'true'], {
    env: { XDG_STATE_HOME: state },
  });
  t.match(refused, { status: 125, stdout: /KEY_INVALID/ });
});

testAsBoth('refuses a receipt that is not there', async (t, scene) => {
  t.match(await scene.call(['receipt', 'show', 'no-such-run']), { status: 2, stderr: /no receipt/ });
  t.match(await scene.call(['receipt', 'verify', './no/such\u001b[31m.json']), { status: 2 });
  const file = scene.write(newId(), 'hello');
  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  t.match(await scene.call(['receipt', 'verify', file]), { status: 1, stdout: /^FAIL {2}envelope/ });
});
