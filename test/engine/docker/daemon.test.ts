import { test } from 'tap';
import { judgeDaemon, parseDockerVersion } from '../../../lib/engine/docker/daemon.ts';
import { readAnswer } from '../../../lib/engine/docker/image.ts';

const ids = { subuids: { start: 231_072, count: 65_536 }, subgids: { start: 231_072, count: 65_536 } };
/** Of `docker info` with Engine 20.10.24. */
const info = {
  ServerVersion: '20.10.24+dfsg1',
  SecurityOptions: ['name=seccomp,profile=default', 'name=userns'],
  CgroupDriver: 'cgroupfs',
  CgroupVersion: '1',
  DockerRootDir: '/var/lib/docker/231072.231072',
  MemoryLimit: true,
  PidsLimit: true,
  CpuCfsQuota: true,
  RuncCommit: { ID: '1.1.5' },
};

test('a daemon with our map, a filter and plain control groups is one we use', async (t) => {
  t.same(judgeDaemon(info, ids), { version: '20.10.24+dfsg1', runc: '1.1.5', driver: 'cgroupfs' });
  t.same(parseDockerVersion('28.2.2'), [28, 2]);
});

test('on v2 either driver is good', async (t) => {
  for (const driver of ['systemd', 'cgroupfs'])
    t.match(judgeDaemon({ ...info, CgroupVersion: '2', CgroupDriver: driver }, ids), { driver });
});

const bad: Readonly<Record<string, { readonly with: object; readonly code: string; readonly says: RegExp }>> = {
  'no user namespace': {
    with: { SecurityOptions: ['name=seccomp,profile=default'] },
    code: 'ENGINE_CANNOT',
    says: /no user namespace/,
  },
  'no filter': { with: { SecurityOptions: ['name=userns'] }, code: 'ENGINE_CANNOT', says: /no syscall filter/ },
  'no options at all': { with: { SecurityOptions: null }, code: 'ENGINE_CANNOT', says: /no user namespace/ },
  "somebody else's ids": {
    with: { DockerRootDir: '/var/lib/docker/100000.100000' },
    code: 'ENGINE_CANNOT',
    says: /ids of somebody else/,
  },
  'ids that it does not say': {
    with: { DockerRootDir: '/var/lib/docker' },
    code: 'ENGINE_CANNOT',
    says: /does not say which ids/,
  },
  'control groups v1 of systemd': {
    with: { CgroupDriver: 'systemd' },
    code: 'ENGINE_CANNOT',
    says: /in no control group of the run/,
  },
  'no control groups': {
    with: { CgroupDriver: 'none', CgroupVersion: '2' },
    code: 'ENGINE_CANNOT',
    says: /in no control group of the run/,
  },
  'control groups of another version': {
    with: { CgroupVersion: '3' },
    code: 'ENGINE_CANNOT',
    says: /in no control group of the run/,
  },
  'an old version': { with: { ServerVersion: '19.03.15' }, code: 'ENGINE_MISSING', says: /20\.10 or newer/ },
  'a version of letters': { with: { ServerVersion: 'dev' }, code: 'ENGINE_MISSING', says: /20\.10 or newer/ },
  'another answer': { with: { ServerVersion: 7 }, code: 'ENGINE_MISSING', says: /does not say what it is/ },
};
for (const [name, { with: changed, code, says }] of Object.entries(bad)) {
  test(`refuses a daemon with ${name}`, async (t) => {
    t.throws(() => judgeDaemon({ ...info, ...changed }, ids), { code, message: says });
  });
}

const digest = `sha256:${'a'.repeat(64)}` as const;
const id = `sha256:${'b'.repeat(64)}`;

test('an image is taken by its id when its only layer is ours and it carries nothing else', async (t) => {
  t.equal(readAnswer(`${id} ["${digest}"] null null null\n`, digest), id);
  t.equal(readAnswer(`${id} ["${digest}"] [] null []\n`, digest), id);
});

test('refuses an image with another layer, an environment or a volume', async (t) => {
  for (const text of [
    `${id} ["${digest}","${digest}"] null null null`,
    `${id} ["${id}"] null null null`,
    `${id} ["${digest}"] ["LD_PRELOAD=/tmp/x"] null null`,
    `${id} ["${digest}"] null {"/data":{}} null`,
    `${id} ["${digest}"] null null`,
    `name ["${digest}"] null null null`,
    '',
  ])
    t.equal(readAnswer(text, digest), undefined, text);
});
