// Owns the cases that one caller goes through inside the virtual worker host; each reports what was seen, and judges nothing.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const who = process.argv[2] ?? '';
const sandbox = '/opt/cofferdam/bin/sandbox';
const uid = process.getuid?.() ?? -1;
const root = uid === 0;
const home = root ? '/root' : homedir();
const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: home, LANG: 'C.UTF-8' };
const log = root ? '/var/lib/cofferdam/state/runs.log' : join(home, '.local/state/cofferdam/runs.log');
const work = join(home, 'work');
const profiles = join(root ? '/etc/cofferdam' : join(home, '.config/cofferdam'), 'profiles');
const top = '/sys/fs/cgroup';
// One plan, so that all but the first run take the short way.
const base = ['-p', `small-${who}`, '--memory', '64m', '--cpus', '0.5', '--pids', '20'];

function report(what: string, seen: unknown): void {
  // In one write, because several processes share the port.
  writeFileSync(1, `${JSON.stringify({ who, what, seen })}\n`);
}

function readSoft(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function call(file: string, args: readonly string[], started = Date.now()) {
  const { status, stdout, stderr } = spawnSync(file, args, { env, encoding: 'utf8', timeout: 180_000 });
  return { status, stdout, stderr, ms: Date.now() - started };
}

/** The run's line of runs.log: [..., exit status, reason, bytes, bytes, marks]. */
function recordOf(id: string): string[] {
  const line = readSoft(log)
    .split('\n')
    .find((text) => text.split(' ')[1] === id);
  return line?.split(' ').slice(7) ?? [];
}

function run(name: string, args: readonly string[]) {
  const id = `${who}-${name}`;
  const ended = call(sandbox, ['run', '--id', id, ...args]);
  return { ...ended, record: recordOf(id), left: findLeaves(id) };
}

/** Groups named by the run, wherever they are. Other callers' leaves are not ours to read, and come and go meanwhile. */
function findLeaves(id: string): string[] {
  return call('find', [top, '-type', 'd', '-name', id]).stdout.split('\n').filter(Boolean);
}

async function until(holds: () => boolean): Promise<boolean> {
  for (let look = 0; look < 1200; look++) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}

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

const small = `extends: base-tools
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

async function meetLimits(): Promise<void> {
  const shell = (script: string) => ['--', 'bash', '-c', script];
  const swallow = 'dd if=/dev/zero of=/dev/null bs=100M count=1';
  report('first', run('first', [...base, ...shell('echo hi')]));
  const trace = call('sh', ['-x', sandbox, 'run', '--id', `${who}-short`, ...base, ...shell('echo hi')]);
  report('short', {
    ...trace,
    stderr: '',
    node: trace.stderr.includes('main.js'),
    supervised: trace.stderr.includes('--grace-ms'),
  });
  report('oom', run('oom', [...base, ...shell(swallow)]));
  report('oom-child', run('oom-child', [...base, ...shell(`(${swallow}) & wait; exec sleep 60`)]));
  report('pids', run('pids', [...base, '--', 'sh', '-c', 'for i in $(seq 40); do sleep 20 & done']));
  report('timeout', run('timeout', [...base, '--timeout', '2s', ...shell('sleep 60')]));
  await look();
  report('meet', run('meet', [...base, ...shell(meet)]));
  // Each of these is compiled anew, which takes long in here: once is enough.
  if (root) report('idle', run('idle', ['-p', 'idle', ...shell('sleep 60')]));
  const artifacts = ['--artifacts', join(work, 'artifacts')];
  if (who === 'session')
    report('artifacts', run('artifacts', [...base, ...artifacts, ...shell('echo 1 >/artifacts/one')]));
}

/** A limit that is written and does not hold: another file stands over the control file as soon as the leaf is there. */
function injectFault(): void {
  const wrapper = join(work, 'mkdir');
  const text = `#!/bin/sh
${work}/mkdir.real "$@" || exit 1
for folder do case $folder in ${top}/*) mount --bind /dev/null "$folder/pids.max" ;; esac; done
`;
  writeFileSync(wrapper, text, { mode: 0o755 });
  call('cp', ['/usr/bin/mkdir', join(work, 'mkdir.real')]);
  const script = `mount --bind ${wrapper} /usr/bin/mkdir
exec ${sandbox} run --id root-lie ${base.join(' ')} -- touch /workspace/started`;
  report('lie', { ...call('unshare', ['--mount', 'sh', '-c', script]), record: recordOf('root-lie') });
}

function findChecks(): unknown {
  const { stdout } = call(sandbox, ['doctor', '--json']);
  const found = JSON.parse(stdout) as Record<string, unknown>;
  const lists = Object.values(found).filter(Array.isArray).flat() as { id: string }[];
  return lists.filter(({ id }) => id.startsWith('cgroups.'));
}

process.on('uncaughtException', (error) => {
  report('failed', String(error.stack));
  process.exit(1);
});
mkdirSync(work, { recursive: true });
mkdirSync(profiles, { recursive: true });
writeFileSync(join(profiles, `small-${who}.yaml`), small);
if (root) writeFileSync(join(profiles, 'idle.yaml'), 'extends: base-tools\nlimits: { idle: 3s }\n');
// Only for who goes without: a user's profile may not have the name of one of root's.
if (who === 'lonely' || who === 'best-effort')
  writeFileSync(join(profiles, 'best.yaml'), 'image: base-tools\nlimits: { enforce: best-effort }\n');
report('membership', readSoft('/proc/self/cgroup'));
const start = ['--', 'echo', 'started'];
if (who === 'best-effort') {
  report('best', run('best', ['-p', 'best', ...start]));
  report('json', run('json', ['--json', '-p', 'best', ...start]));
} else if (who === 'lonely') {
  report('strict', run('strict', [...base, ...start]));
  report('best', run('best', ['-p', 'best', ...start]));
} else {
  await meetLimits();
  if (root) injectFault();
  report('services', existsSync(join(top, 'cofferdam')) ? 'a folder behind the back of systemd' : 'none');
}
if (who !== 'best-effort') report('doctor', findChecks());
