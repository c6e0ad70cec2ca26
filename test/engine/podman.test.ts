import { test } from 'tap';
import { parsePodmanVersion, podmanEngine } from '../../lib/engine/podman.ts';
import { profileSchema } from '../../lib/profile/schema.ts';

const asking = { callerUid: 1000, collectsArtifacts: false };
const parsed = (file: object) => profileSchema.parse(file);

test('versions are read as podman prints them', async (t) => {
  t.same(parsePodmanVersion('podman version 4.3.1\n'), [4, 3, 1]);
  t.same(parsePodmanVersion('podman version 5.4-rc1\n'), [5, 4, 0]);
  t.equal(parsePodmanVersion('Docker version 28.2.2'), undefined);
});

test('the default profile is one that podman can enforce', async (t) => {
  t.doesNotThrow(() => podmanEngine.refuse(parsed({}), asking));
});

test('refuses limits that its own processes would not fit in, naming the field and the engine that can', async (t) => {
  t.throws(() => podmanEngine.refuse(parsed({ limits: { memory: '95m' } }), asking), {
    code: 'ENGINE_CANNOT',
    message: /limits\.memory.*crun and nerdctl can/,
    remedy: 'use --engine crun',
  });
  t.throws(() => podmanEngine.refuse(parsed({ limits: { pids: 63 } }), asking), {
    code: 'ENGINE_CANNOT',
    message: /limits\.pids/,
  });
  t.doesNotThrow(() => podmanEngine.refuse(parsed({ limits: { memory: '96m', pids: 64 } }), asking));
});

test('refuses mount targets that its options cannot write', async (t) => {
  for (const target of ['/opt/a,rw', '/opt/a"b']) {
    const profile = parsed({
      mounts: [
        { source: '/srv/x', target: '/opt/fine' },
        { source: '/srv/x', target },
      ],
    });
    t.throws(() => podmanEngine.refuse(profile, asking), { code: 'ENGINE_CANNOT', message: /mounts\[1\]\.target/ });
  }
});
