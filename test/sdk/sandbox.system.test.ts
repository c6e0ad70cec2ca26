// The library's sandboxes that live on: made, found again by another handle, ended and gone.
import { test } from 'tap';
import { CofferdamError, createSandbox, listSandboxes, openSandbox } from '../../lib/sdk/index.ts';

export const needs = ['root or a prepared user', 'image base-tools'];

const host = { hostEnv: process.env, cwd: '/' };
const labels = { test: `sdk-${process.pid}` };
const filters = [`label=test=sdk-${process.pid}`];

test('a sandbox is made, started, opened by its name, stopped, and removed', async (t) => {
  const made = await createSandbox({ ...host, profile: 'base-tools', labels });
  t.teardown(() => made.remove({ force: true }).catch(() => undefined));
  t.equal(made.inspect().state.status, 'created');
  await made.start();
  const opened = openSandbox(made.name, host);
  t.equal(opened.id, made.id);
  t.match(listSandboxes({ ...host, filters }), [{ id: made.id, labels, state: { status: 'running' } }]);
  await t.rejects(opened.remove(), { code: 'SANDBOX_STATE' });
  await opened.stop();
  t.match(await made.wait(), { exitCode: 143, reason: 'cancelled' });
  await made.remove();
  t.throws(() => made.inspect(), CofferdamError);
  t.strictSame(listSandboxes({ ...host, filters }), []);
});

test('executes commands, with input, environment, bounds and a timeout, and goes on living', async (t) => {
  const made = await createSandbox({ ...host, profile: 'base-tools', labels });
  t.teardown(() => made.remove({ force: true }));
  await t.rejects(made.exec(['true']), { code: 'SANDBOX_STATE' });
  await made.start();
  const script = 'cat; echo "$WORD" >&2; pwd; exit 7';
  t.strictSame(
    await made.exec(['sh', '-c', script], { stdin: 'in\n', env: { WORD: 'a b' }, workdir: '/tmp', timeout: '1m' }),
    { exitCode: 7, stdout: 'in\n/tmp\n', stderr: 'a b\n', truncated: { stdout: false, stderr: false } },
  );
  const cut = await made.exec(['printf', 'ab\u00e4\u00e4'], { mostOutput: 5 });
  t.match(cut, { stdout: 'ab\u00e4', truncated: { stdout: true, stderr: false } }, 'cut between characters');
  t.match(await made.exec(['sleep', '60'], { timeout: '100ms' }), { exitCode: 124 });
  t.match(await made.exec(['/nosuch']), { exitCode: 127 });
  await t.rejects(made.exec(['true'], { env: { AWS_SECRET_ACCESS_KEY: 'x' } }), CofferdamError);
  t.equal(made.inspect().state.status, 'running');
});

test('waits for the end of its program', async (t) => {
  const made = await createSandbox({
    ...host,
    profile: 'base-tools',
    command: ['sh', '-c', 'sleep 1; exit 9'],
    labels,
  });
  t.teardown(() => made.remove({ force: true }));
  await made.start();
  t.match(await made.wait(), { exitCode: 9, reason: 'exited' });
});

test('refuses what a command line would refuse, with the same code', async (t) => {
  const refused = [
    [{ profile: 'nosuch' }, 'PROFILE_UNKNOWN'],
    [{ profile: 'base-tools', name: 'Not Valid' }, 'SANDBOX_NAME'],
    [{ profile: 'base-tools', ttl: '900d' }, 'HOST_FORBIDS'],
    [{ profile: 'base-tools', idle: 'soon' }, 'VALUE_INVALID'],
    [{ profile: 'base-tools', command: ['echo', 'a\0b'] }, 'ARGUMENT_INVALID'],
  ] as const;
  for (const [options, code] of refused) await t.rejects(createSandbox({ ...host, ...options, labels }), { code });
  t.strictSame(listSandboxes({ ...host, filters }), []);
  t.throws(() => openSandbox('nosuch-sandbox', host), { code: 'SANDBOX_UNKNOWN' });
});
