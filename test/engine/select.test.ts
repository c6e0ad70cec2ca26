import { test } from 'tap';
import { listEngines, selectEngine, selectIsolating } from '../../lib/engine/select.ts';
import { hostConfigSchema } from '../../lib/profile/hostConfig.ts';

const { engines: settings } = hostConfigSchema.parse({});

test('engines are found by name, best first', async (t) => {
  t.same(
    (await listEngines(settings)).map(({ name }) => name),
    ['crun', 'podman', 'nerdctl', 'docker', 'runsc', 'podman+runsc'],
  );
  t.equal((await selectEngine('podman')).name, 'podman');
  t.equal((await selectEngine('docker')).name, 'docker');
});

test('without a name the best that answers is taken, with one that one', async (t) => {
  t.equal((await selectIsolating({ engine: 'best', isolation: 'process' }, settings)).name, 'crun');
  t.equal((await selectIsolating({ engine: 'docker', isolation: 'process' }, settings)).name, 'docker');
});

test('refuses an unknown engine with the nearest name', async (t) => {
  await t.rejects(selectEngine('podmann'), { code: 'ENGINE_UNKNOWN', message: /did you mean "podman"/ });
  await t.rejects(selectEngine('kvm\u001b[31m'), { code: 'ENGINE_UNKNOWN', message: /kvm\\x1b\[31m/ });
});

test('refuses gVisor on an engine that cannot give it', async (t) => {
  t.equal((await selectIsolating({ engine: 'podman', isolation: 'gvisor' }, settings)).name, 'podman+runsc');
  for (const engine of ['nerdctl', 'docker'] as const)
    await t.rejects(selectIsolating({ engine, isolation: 'gvisor' }, settings), { code: 'ENGINE_CANNOT' });
});
