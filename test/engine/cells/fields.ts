// Owns the proof of each row that a profile or its caller asks for.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parentOf } from '../../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../../lib/engine/cgroupPlace.ts';
import type { Field } from '../../../lib/engine/matrix/row.ts';
import { newId, until } from '../../system/scene.ts';
import type { CellEngine } from './engines.ts';
import { openPlace, type Place, type Proof } from './proof.ts';

const base = () => ['--profile', 'base-tools'];
const sh = (script: string) => ['sh', '-c', script];
const with_ = (lines: string) => (place: Place) => ['--profile', place.profile(lines)];
const workspace = (mode: string) => (place: Place) => [...base(), '--workspace', `${place.folder}:${mode}`];

const change = sh('cat /workspace/seen; echo new >/workspace/new || echo refused');

// The quota is of one period: no busy program gets past it, however fast or loaded the host is.
async function showThrottling(t: Test, engine: CellEngine): Promise<void> {
  const id = newId();
  const parent = parentOf(locateCgroups(engine.scene.uid), 'cpu') ?? '';
  const count = () => {
    try {
      const text = readFileSync(join(parent, id, 'cpu.stat'), 'utf8');
      return Number(/^nr_throttled ([0-9]+)$/m.exec(text)?.[1] ?? 0);
    } catch {
      return 0;
    }
  };
  const words = ['run', '--id', id, ...engine.chosen, ...base(), '--cpus', '0.2', '--', ...sh('while :; do :; done')];
  const run = engine.start(words);
  t.ok(await until(() => count() > 3), 'the kernel held it back');
  run.child.kill('SIGTERM');
  await run.ended;
}

async function showMounts(t: Test, engine: CellEngine): Promise<void> {
  const place = openPlace(engine);
  const profile = place.profile(`mounts: [{ source: '${place.folder}', target: /mnt, mode: ro }]`);
  const config = `mountRoots: ['${place.folder}']\n`;
  const command = sh('cat /mnt/seen; echo new >/mnt/new || echo refused');
  const result = await engine.runUnder(config, ['--profile', profile, '--', ...command]);
  t.match(result, { stdout: /^seenrefused$/m }, JSON.stringify(result));
  t.equal(place.read('work/new'), undefined);
  t.match(await engine.runUnder(config, [...base(), '--', ...command]), { stdout: 'refused\n' }, 'control');
}

async function showTerminal(t: Test, engine: CellEngine): Promise<void> {
  const look = sh('test -t 0 && test -t 1 && stty size');
  t.match(await engine.onTerminal(['-it', ...base(), '--', ...look]), { status: 0, seen: /33 77/, same: true });
  t.equal((await engine.onTerminal([...base(), '--', ...look])).status, 1, 'control: none without -t');
}

export const fieldProofs: Readonly<Record<Field, Proof>> = {
  user: {
    checks: ['identity.uid', 'identity.gid'],
    acts: [
      {
        flags: with_('user: { uid: 1000, gid: 1001 }'),
        command: sh('id -u; id -g'),
        wanted: { stdout: '1000\n1001\n' },
        control: { flags: base, wanted: { stdout: '65532\n65532\n' } },
      },
    ],
  },
  'workspace.mode scratch': {
    acts: [
      {
        flags: base,
        command: sh('cat /workspace/seen; echo new >/workspace/new && cat /workspace/new'),
        wanted: { stdout: 'new\n', stderr: /No such file/ },
        control: { flags: workspace('ro'), wanted: { stdout: 'seen' } },
      },
    ],
  },
  'workspace.mode ro': {
    acts: [
      {
        flags: workspace('ro'),
        command: change,
        wanted: { stdout: /^seenrefused$/m, stderr: /Read-only/ },
        left: { 'work/seen': 'seen', 'work/new': undefined },
        control: { flags: base, wanted: { stdout: '' } },
      },
    ],
  },
  'workspace.mode rw': {
    acts: [
      {
        flags: workspace('rw'),
        command: change,
        wanted: { stdout: 'seen' },
        left: { 'work/seen': 'seen', 'work/new': 'new\n' },
      },
    ],
  },
  'workspace.mode copy': {
    acts: [
      {
        flags: workspace('copy'),
        command: change,
        wanted: { stdout: 'seen', workspace: { copy: true } },
        left: { 'work/seen': 'seen', 'work/new': undefined },
      },
    ],
  },
  'workspace.size, tmpfs': {
    checks: ['fs.tmp-size', 'fs.run-size', 'fs.scratch-size', 'limit.tmp-size-holds'],
    acts: [
      {
        flags: with_('tmpfs: { tmp: 1m }\nworkspace: { size: 2m }'),
        command: sh('for f in /tmp/f /workspace/f; do head -c 8m /dev/zero >$f || echo full; done'),
        wanted: { stdout: 'full\nfull\n', stderr: /No space left/ },
        control: { flags: base, wanted: { stdout: '', exitCode: 0 } },
      },
    ],
  },
  artifacts: {
    acts: [
      {
        flags: ({ base: folder }) => [...base(), '--artifacts', join(folder, 'out')],
        command: sh('echo made >/artifacts/a'),
        wanted: { artifacts: [{ path: 'a', bytes: 5 }] },
        left: { 'out/a': 'made\n' },
        control: { flags: base, wanted: { artifacts: [] } },
      },
    ],
  },
  mounts: { show: showMounts },
  'limits.memory': {
    checks: ['limit.memory', 'limit.swap'],
    acts: [
      {
        flags: () => [...base(), '--memory', '128m'],
        command: sh('head -c 200m /dev/zero | tail -c 200m | wc -c'),
        wanted: { status: 'oom', exitCode: 137 },
        control: { flags: () => [...base(), '--memory', '600m'], wanted: { exitCode: 0, stdout: '209715200\n' } },
      },
    ],
  },
  'limits.cpus': { checks: ['limit.cpu'], show: showThrottling },
  'limits.pids': {
    checks: ['limit.pids'],
    acts: [
      {
        flags: () => [...base(), '--pids', '128'],
        command: sh('i=0; while [ $i -lt 150 ]; do sleep 30 & i=$((i + 1)); done; kill $(jobs -p); echo all'),
        wanted: { limits: { pidsHit: true } },
        control: {
          flags: () => [...base(), '--pids', '3000'],
          wanted: { stdout: 'all\n', limits: { pidsHit: false } },
        },
      },
    ],
  },
  'limits.openFiles, fileSize': {
    checks: ['limit.open-files', 'limit.file-size', 'limit.descriptors-hold', 'limit.file-size-holds'],
    acts: [
      {
        flags: with_('limits: { fileSize: 1m, openFiles: 64 }'),
        command: sh('ulimit -n; (head -c 2m /dev/zero >/workspace/f); wc -c </workspace/f'),
        wanted: { stdout: '64\n1048576\n' },
        control: { flags: base, wanted: { stdout: '1024\n2097152\n' } },
      },
    ],
  },
  'limits.timeout, idle': {
    acts: [
      {
        flags: () => [...base(), '--timeout', '2s'],
        command: sh('echo begun; trap "" TERM; while :; do sleep 1; done'),
        wanted: { status: 'timeout', exitCode: 124 },
      },
      {
        flags: with_('limits: { idle: 3s }'),
        command: sh('echo begun; sleep 8; echo over'),
        wanted: { stdout: 'begun\n', reason: 'idle' },
        control: { flags: base, wanted: { stdout: 'begun\nover\n' } },
      },
    ],
  },
  // Launch script and supervisor, the same for each engine; the kernel's no is made by strace(1), which a sentry would not bear.
  'limits.enforce best-effort': { elsewhere: ['test/system/limits-refused.system.test.ts'] },
  output: {
    acts: [
      {
        flags: with_('output: { stdout: 1k, stderr: 1k }'),
        command: sh('head -c 4k /dev/zero | tr "\\0" o; head -c 4k /dev/zero | tr "\\0" e >&2'),
        wanted: { stdout: /^o{1024}$/, stderr: /^e{1024}$/, truncated: { stdout: true, stderr: true } },
        control: { flags: base, wanted: { stdout: /^o{4096}$/, truncated: { stdout: false, stderr: false } } },
      },
    ],
  },
  '-t': { show: showTerminal },
  env: {
    checks: ['leak.environment', 'leak.run-id'],
    acts: [
      {
        flags: () => [...base(), '--env', 'ASKED=a "b"'],
        command: sh('echo "$ASKED"; env | grep -c ^ASKED='),
        wanted: { stdout: 'a "b"\n1\n' },
        control: { flags: base, wanted: { stdout: '\n0\n' } },
      },
    ],
  },
  'network.mode none': {
    checks: ['net.interfaces', 'net.routes', 'net.route-ipv4', 'net.host-loopback', 'net.host-abstract'],
  },
  'network.mode proxy': {
    // Real packets with each engine, and each of the three that make it for itself: what is started inside, the door, and Squid.
    elsewhere: [
      'test/service/egress/way.system.test.ts',
      'test/service/egress/root.system.test.ts',
      'test/engine/podman-way.system.test.ts',
      'test/engine/docker-way.system.test.ts',
      'test/engine/nerdctl-way.system.test.ts',
      'test/engine/runsc/way.system.test.ts',
      'test/run/init-forward.test.ts',
      'test/service/bridge/bridge.test.ts',
      'test/service/squid-bypass.system.test.ts',
    ],
  },
  ports: { elsewhere: ['test/system/ports.system.test.ts', 'test/engine/ports.system.test.ts'] },
};
