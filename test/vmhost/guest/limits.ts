// Owns the cases of limits inside the virtual worker host: standing and met.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { askRun } from './ask.ts';
import { base, call, env, findLeaves, readSoft, report, root, run, sandbox, until, who, work } from './caller.ts';

async function end(child: ChildProcess): Promise<number | null> {
  child.kill('SIGTERM');
  return child.exitCode ?? (await new Promise((done) => child.on('exit', done)));
}

const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.max', 'cgroup.controllers'];

/** A run that goes on, seen from outside. */
async function look(): Promise<void> {
  const id = `${who}-look`;
  const spin = 'while echo up; do i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); done; done';
  const child = spawn(sandbox, ['run', '--id', id, ...base, '--', 'sh', '-c', spin], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await until(() => out !== '' || child.exitCode !== null);
  const leaves = findLeaves(id);
  const leaf = leaves[0] ?? '/none';
  const throttled = () => Number(/nr_throttled ([0-9]+)/.exec(readSoft(join(leaf, 'cpu.stat')))?.[1] ?? 0);
  await until(() => throttled() > 0 || child.exitCode !== null);
  const pids = readSoft(join(leaf, 'cgroup.procs')).split('\n').filter(Boolean);
  const guest = pids.find((pid) => readSoft(`/proc/${pid}/cmdline`).includes(`sh\0-c\0${spin}`)) ?? 'none';
  const limits = readSoft(`/proc/${guest}/limits`);
  report('look', {
    leaves,
    values: Object.fromEntries(files.map((file) => [file, readSoft(join(leaf, file))])),
    throttled: throttled(),
    guest: readSoft(`/proc/${guest}/cgroup`),
    openFiles: /Max open files +([0-9]+) +([0-9]+)/.exec(limits)?.slice(1),
    fileSize: /Max file size +([0-9]+) +([0-9]+)/.exec(limits)?.slice(1),
    supervisor: readSoft(`/proc/${child.pid}/cgroup`),
    status: await end(child),
    left: findLeaves(id),
  });
}

export const small = `extends: base-tools
limits: { openFiles: 64, fileSize: 2m }
workspace: { size: 1m }
tmpfs: { tmp: 1m, run: 4m }
`;

// What the guest meets, in its own words.
const meet = `cd /workspace
for place in /workspace /tmp; do head -c 3m /dev/zero >$place/large 2>/dev/null && echo $place-took-it; rm -f $place/large; done
(ulimit -H -n 128) 2>/dev/null || echo files-stay
sh -c 'head -c 3m /dev/zero >/run/large' 2>/dev/null; echo $?
`;

/** Every limit, held and met, and every end. */
export async function meetLimits(): Promise<void> {
  const shell = (script: string) => ['--', 'bash', '-c', script];
  const swallow = 'dd if=/dev/zero of=/dev/null bs=100M count=1';
  report('first', run('first', [...base, ...shell('echo hi')]));
  const trace = call('sh', ['-x', sandbox, 'run', '--id', `${who}-short`, ...base, ...shell('echo hi')]);
  report('short', {
    ...trace,
    stderr: '',
    node: trace.stderr.includes('sandbox.cjs'),
    supervised: trace.stderr.includes('--grace-ms'),
  });
  report('oom', run('oom', [...base, ...shell(swallow)]));
  report('oom-child', run('oom-child', [...base, ...shell(`(${swallow}) & wait; exec sleep 60`)]));
  report('pids', run('pids', [...base, '--', 'sh', '-c', 'for i in $(seq 40); do sleep 20 & done']));
  report('timeout', run('timeout', [...base, '--timeout', '2s', ...shell('sleep 60')]));
  await look();
  report('meet', run('meet', [...base, ...shell(meet)]));
  // Each of these is compiled anew, which takes long in here: once is enough.
  if (root) report('idle', await askRun('idle', ['-p', 'idle', ...shell('sleep 60')]));
  const artifacts = ['--artifacts', join(work, 'artifacts')];
  if (who === 'session')
    report('artifacts', await askRun('artifacts', [...base, ...artifacts, ...shell('echo 1 >/artifacts/one')]));
}
