// Owns the proof of each row that a profile or its caller asks for.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parentOf } from '../../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../../lib/engine/cgroupPlace.ts';
import type { Field } from '../../../lib/engine/matrix/row.ts';
import { newId, sandboxFile, sceneOf, until } from '../../system/scene.ts';
import { typed } from '../../system/typing.ts';
import type { CellEngine } from './engines.ts';
import type { Place, Proof } from './proof.ts';

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

// More processes than the kernel counts: a limit that no host can apply.
async function showBestEffort(t: Test, { chosen }: CellEngine): Promise<void> {
  const scene = sceneOf('root');
  const profile = (enforce: string) =>
    scene.write(`${newId()}.yaml`, `image: base-tools\nlimits: { enforce: ${enforce}, pids: 5000000 }\n`);
  const permitted = `mount -t tmpfs -o mode=0755 tmpfs /etc/cofferdam
printf 'limits: { bestEffort: true, pids: 5000000 }\\n' >/etc/cofferdam/config.yaml
exec "$@"`;
  const run = async (enforce: string) => {
    const words = ['run', '--json', ...chosen, '--profile', profile(enforce), '--', 'echo', 'started'];
    const own = ['--mount', '--propagation', 'private', 'sh', '-euc', permitted, 'sh', sandboxFile, ...words];
    return scene.spawn('unshare', own).ended;
  };
  const effort = await run('best-effort');
  t.match(JSON.parse(effort.stdout), { stdout: 'started\n', limits: { lacking: ['pids'] } }, effort.stderr);
  const strict = await run('strict');
  t.match(JSON.parse(strict.stdout), { status: 'refused', stdout: '' }, `control: ${strict.stdout}`);
}

async function showTerminal(t: Test, { scene, chosen }: CellEngine): Promise<void> {
  const look = sh('test -t 0 && test -t 1 && stty size');
  const seen = await typed(scene, ['run', '-it', ...chosen, ...base(), '--', ...look]);
  t.match(seen, { status: 0, seen: /33 77/, same: true });
  const without = await scene.sandbox(['run', ...chosen, ...base(), '--', ...look]);
  t.equal(without.status, 1, 'control: none without -t');
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
  mounts: {
    acts: [
      {
        flags: (place) => [
          '--profile',
          place.profile(`mounts: [{ source: '${place.folder}', target: /mnt, mode: ro }]`),
        ],
        command: sh('cat /mnt/seen; echo new >/mnt/new || echo refused'),
        wanted: { stdout: /^seenrefused$/m },
        left: { 'work/new': undefined },
        control: { flags: base, wanted: { stdout: 'refused\n' } },
      },
    ],
  },
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
    checks: ['limit.open-files', 'limit.file-size'],
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
  'limits.enforce best-effort': { show: showBestEffort },
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
    // Each of the three that make it, for itself: what is mounted and started inside, the door, and Squid.
    elsewhere: [
      'test/run/init-forward.test.ts',
      'test/service/bridge/bridge.test.ts',
      'test/service/squid-bypass.system.test.ts',
    ],
  },
  ports: { elsewhere: ['test/system/ports.system.test.ts'] },
};
