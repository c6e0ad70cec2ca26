// Owns the proof of each row that a profile or its caller asks for.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parentOf } from '../../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../../lib/engine/cgroupPlace.ts';
import type { Field } from '../../../lib/engine/matrix/row.ts';
import { newId, until } from '../../system/scene.ts';
import type { CellEngine } from './engines.ts';
import type { Act, Place, Proof } from './proof.ts';

const change = 'cat /workspace/seen; echo new >/workspace/new || echo refused';

function workspace(mode: string): Pick<Act, 'alone' | 'asked' | 'script'> {
  const flags = (place: Place) => ['--workspace', `${place.folder}:${mode}`];
  return { alone: true, asked: { flags }, script: change };
}

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
  const words = ['run', '--id', id, ...engine.chosen, '--profile', 'base-tools', '--cpus', '0.2'];
  const run = engine.start([...words, '--', 'sh', '-c', 'while :; do :; done']);
  t.ok(await until(() => count() > 3), 'the kernel held it back');
  run.child.kill('SIGTERM');
  await run.ended;
}

async function showTerminal(t: Test, engine: CellEngine): Promise<void> {
  const look = ['--', 'sh', '-c', 'test -t 0 && test -t 1 && stty size'];
  const seen = await engine.onTerminal(['-it', '--profile', 'base-tools', ...look]);
  t.match(seen, { status: 0, seen: /33 77/, same: true });
}

const zeros = (size: string) => `head -c ${size} /dev/zero`;

export const fieldProofs: Readonly<Record<Field, Proof>> = {
  user: {
    checks: ['identity.uid', 'identity.gid'],
    acts: [
      {
        asked: { lines: () => 'user: { uid: 1000, gid: 1001 }' },
        script: 'id -u; id -g',
        part: /^1000\n1001\n$/,
        control: { part: /^65532\n65532\n$/ },
      },
    ],
  },
  'workspace.mode scratch': {
    // The control is every other mode.
    acts: [
      {
        asked: {},
        script: 'cat /workspace/seen 2>&1; echo new >/workspace/new && cat /workspace/new',
        part: /^[^\n]*No such file[^\n]*\nnew\n$/,
      },
    ],
  },
  'workspace.mode ro': {
    acts: [
      {
        ...workspace('ro'),
        part: /^seenrefused$/m,
        result: { stderr: /Read-only/ },
        left: { 'work/seen': 'seen', 'work/new': undefined },
      },
    ],
  },
  'workspace.mode rw': {
    acts: [{ ...workspace('rw'), part: /^seen$/, left: { 'work/seen': 'seen', 'work/new': 'new\n' } }],
  },
  'workspace.mode copy': {
    acts: [
      {
        ...workspace('copy'),
        part: /^seen$/,
        result: { workspace: { copy: true } },
        left: { 'work/seen': 'seen', 'work/new': undefined },
      },
    ],
  },
  'workspace.size, tmpfs': {
    checks: ['fs.tmp-size', 'fs.run-size', 'fs.scratch-size', 'limit.tmp-size-holds'],
    acts: [
      {
        asked: { lines: () => 'tmpfs: { tmp: 1m }\nworkspace: { size: 4m }' },
        // Each is smaller than a file may be.
        script: `for f in /tmp/f /workspace/1 /workspace/2 /workspace/3; do ${zeros('1536k')} >$f || echo full $f; done 2>&1
          rm -f /tmp/f /workspace/[123]`,
        part: /No space left[\s\S]*^full \/tmp\/f\n[^\n]*No space left[^\n]*\nfull \/workspace\/3\n$/m,
        control: { part: /^$/ },
      },
    ],
  },
  artifacts: {
    acts: [
      {
        asked: { flags: ({ base }) => ['--artifacts', join(base, 'out')] },
        script: 'echo made >/artifacts/a',
        result: { artifacts: [{ path: 'a', bytes: 5 }] },
        left: { 'out/a': 'made\n' },
        control: { result: { artifacts: [] } },
      },
    ],
  },
  mounts: {
    acts: [
      {
        asked: { lines: ({ folder }) => `mounts: [{ source: '${folder}', target: /mnt, mode: ro }]` },
        script: '{ cat /mnt/seen; echo new >/mnt/new || echo refused; } 2>&1',
        part: /^seen[^\n]*Read-only[^\n]*\nrefused\n$/,
        left: { 'work/new': undefined },
        control: { part: /^[^\n]*No such file/ },
      },
    ],
  },
  'limits.memory': {
    checks: ['limit.memory', 'limit.swap'],
    acts: [
      {
        alone: true,
        asked: { flags: () => ['--memory', '128m'] },
        script: 'dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null && echo held',
        result: { status: 'oom', exitCode: 137 },
        control: { part: /^held\n$/ },
      },
    ],
  },
  'limits.cpus': { checks: ['limit.cpu'], show: showThrottling },
  'limits.pids': {
    checks: ['limit.pids'],
    acts: [
      {
        alone: true,
        asked: { flags: () => ['--pids', '128'] },
        script: 'i=0; while [ $i -lt 150 ]; do sleep 300 & i=$((i + 1)); done; kill $(jobs -p); echo all',
        result: { limits: { pidsHit: true } },
        control: { part: /^all\n$/, result: { limits: { pidsHit: false } } },
      },
    ],
  },
  'limits.openFiles, fileSize': {
    checks: ['limit.open-files', 'limit.file-size', 'limit.descriptors-hold', 'limit.file-size-holds'],
    acts: [
      {
        asked: { lines: () => 'limits: { fileSize: 2m, openFiles: 64 }' },
        script: `ulimit -n; (${zeros('3m')} >/workspace/f) 2>/dev/null; wc -c </workspace/f; rm -f /workspace/f`,
        part: /^64\n2097152\n$/,
        control: { part: /^1024\n3145728\n$/ },
      },
    ],
  },
  'limits.timeout, idle': {
    acts: [
      {
        alone: true,
        asked: { flags: () => ['--timeout', '2s'] },
        script: 'while :; do echo on; sleep 0.2; done',
        result: { status: 'timeout', reason: 'timeout', exitCode: 124 },
      },
      {
        alone: true,
        asked: { lines: () => 'limits: { idle: 2s }' },
        script: 'sleep 300',
        result: { reason: 'idle' },
      },
    ],
  },
  // Launch script and supervisor, the same for each engine; the kernel's no is made by strace(1), which a sentry would not bear.
  'limits.enforce best-effort': { elsewhere: ['test/system/limits-refused.system.test.ts'] },
  env: {
    checks: ['leak.environment', 'leak.run-id'],
    acts: [
      {
        asked: { flags: () => ['--env', 'ASKED=a "b"'] },
        script: 'echo "$ASKED"; env | grep -c ^ASKED=',
        part: /^a "b"\n1\n$/,
        control: { part: /^\n0\n$/ },
      },
    ],
  },
  '-t': {
    acts: [{ asked: {}, script: 'test -t 0 || test -t 1 || echo none', part: /^none\n$/ }],
    show: showTerminal,
  },
  // Its part is cut: it comes last.
  output: {
    acts: [
      {
        asked: { lines: () => 'output: { stdout: 8k, stderr: 8k }' },
        script: `${zeros('16k')} | tr '\\0' o; ${zeros('16k')} | tr '\\0' e >&2`,
        part: /^o+$/,
        result: { stdout: /^[\s\S]{8192}$/, stderr: /^[\s\S]{8192}$/, truncated: { stdout: true, stderr: true } },
        control: { part: /^o{16384}$/, result: { stderr: /e{16384}$/, truncated: { stdout: false, stderr: false } } },
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
