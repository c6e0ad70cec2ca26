import { test } from 'tap';
import { engines, selectEngine } from '../../lib/engine/select.ts';

test('engines are found by name, and crun is the first', async (t) => {
  t.same(
    engines.map(({ name }) => name),
    ['crun', 'podman'],
  );
  t.equal(selectEngine('podman').name, 'podman');
});

test('refuses an unknown engine with the nearest name', async (t) => {
  t.throws(() => selectEngine('podmann'), { code: 'ENGINE_UNKNOWN', message: /did you mean "podman"/ });
  t.throws(() => selectEngine('kvm\u001b[31m'), { code: 'ENGINE_UNKNOWN', message: /kvm\\x1b\[31m/ });
});
