import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { runTool } from '../../../lib/base/exec.ts';
import { renderWatch } from '../../../lib/engine/daemon/watch.ts';
import { renderGate } from '../../../lib/engine/docker/gate.ts';
import { client } from '../../../lib/engine/docker/input.ts';
import { lowerForDocker } from '../../../lib/engine/docker/lower.ts';
import { renderRun } from '../../../lib/engine/docker/script.ts';
import { matchGolden } from '../../golden.ts';
import { sampleTemplate } from '../podman/sample.ts';

const names = ['docker', 'sh', 'setpriv', 'setsid', 'mkdir', 'mkfifo', 'ln', 'sleep'] as const;
const tools = Object.fromEntries(names.map((name) => [name, `/usr/bin/${name}`])) as Record<
  (typeof names)[number],
  string
>;
const cannot = (field: string) => new CofferdamError('ENGINE_CANNOT', field);
const looks = { isFolder: (path: string) => path === '/sys/firmware', isFile: () => true };
const script = {
  ...lowerForDocker(sampleTemplate(), cannot, looks),
  tools,
  helpers: '/install/dist/native',
  socket: '/run/docker.sock',
  planDirectory: '/plan',
  variables: ['run_dir', 'id', 'task', 'job', 'workspace', 'way_out', 'terminal'] as const,
  groups: ['memory', 'pids', 'cpu'].map((name) => ({
    parent: `/sys/fs/cgroup/${name}/cofferdam/0`,
    container: [`/sys/fs/cgroup/${name}/cofferdam/docker/`, ''] as const,
  })),
  cgroupParent: '/cofferdam/docker',
  image: `sha256:${'b'.repeat(64)}`,
  label: 'cofferdam.records=/run/cofferdam/records',
  forwards: false,
  ids: { uid: 296_604, gid: 296_604, rootUid: 231_072, rootGid: 231_072 },
};
const texts = {
  'docker-run.sh': renderRun(script),
  'docker-gate.sh': renderGate(script),
  'docker-gate-proxy.sh': renderGate({ ...script, forwards: true }),
  'docker-watch.sh': renderWatch({ remove: `${client(script)} rm --force --volumes "$name"`, sleep: tools.sleep }),
};

test('the scripts are what was reviewed', async (t) => {
  for (const [name, text] of Object.entries(texts)) matchGolden(t, join(import.meta.dirname, 'golden', name), text);
});

test('the scripts pass shellcheck and shfmt', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-docker-script-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(texts)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    await t.resolves(runTool('shellcheck', [file]), name);
    t.equal((await runTool('shfmt', ['-d', file])).stdout, '', name);
  }
});
