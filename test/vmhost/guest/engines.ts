// Owns the cases that one engine with a daemon goes through; each reports what was seen, and judges nothing. Started as: engines.ts WHO ENGINE.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, askRun } from './ask.ts';
import { call, findLeaves, readSoft, report, run, sandbox, top, until, who, work } from './caller.ts';

const engine = process.argv[3] ?? '';
const bounds = ['--memory', '64m', '--cpus', '0.5', '--pids', '50'];
const base = ['--engine', engine, '-p', 'engine-tools', ...bounds];
const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.max'];

function describe(pid: string) {
  const ppid = /^PPid:\t(\d+)$/m.exec(readSoft(`/proc/${pid}/status`))?.[1];
  return {
    command: readSoft(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 120),
    group: readSoft(`/proc/${pid}/cgroup`),
    parent: readSoft(`/proc/${ppid}/cmdline`).replaceAll('\0', ' ').slice(0, 80),
  };
}

/** The life of one sandbox, and its groups from outside. */
async function live(): Promise<void> {
  const name = `${who}-life`;
  const made = await ask('sandbox', [
    'create',
    ...base,
    '--name',
    name,
    '--start',
    '--',
    'sh',
    '-c',
    'echo up; exec sleep 7200',
  ]);
  const id = `${(await ask('sandbox', ['inspect', '--format', '{{.ID}}', name])).stdout.trim()}-1`;
  const leaves = findLeaves(id);
  const leaf = leaves[0] ?? '/none';
  const inside = (script: string) => call(sandbox, ['exec', name, 'sh', '-c', script]);
  const look = {
    values: Object.fromEntries(files.map((file) => [file, readSoft(join(leaf, file))])),
    members: readSoft(join(leaf, 'cgroup.procs')).split('\n').filter(Boolean).map(describe),
  };
  const exec = inside('unshare -U cat /proc/self/uid_map; echo inside; exit 7');
  const control = call('unshare', ['-U', 'cat', '/proc/self/uid_map']).status;
  const logs = (await ask('sandbox', ['logs', name])).stdout;
  const file = join(work, `${who}-file`);
  writeFileSync(file, 'from outside\n');
  const cpIn = await ask('sandbox', ['cp', file, `${name}:/workspace/file`]);
  const cpOut = await ask('sandbox', ['cp', `${name}:/workspace/file`, `${file}-back`]);
  const copied = readSoft(`${file}-back`);
  // Last: what is left of it may keep everybody else out.
  inside('for i in $(seq 60); do sleep 3600 >/dev/null 2>&1 & done');
  const refused = /max ([0-9]+)/.exec(readSoft(join(leaf, 'pids.events')))?.[1];
  const removed = await ask('sandbox', ['rm', '-f', name]);
  const left = findLeaves(id);
  report('life', {
    made,
    leaves,
    ...look,
    exec,
    control,
    refused,
    logs,
    cpIn,
    cpOut,
    copied,
    removed,
    left,
  });
}

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

/** What still bears the name of a container of ours; waits for a daemon that forgets in its own time. */
async function leave(): Promise<void> {
  const standing = () => ({
    scopes: list(join(top, 'cofferdam.slice')).filter((name) => name.endsWith('.scope')),
    groups: list(join(top, 'cofferdam.slice/cofferdam-runs.service/docker.group')).filter((name) => name.length === 64),
    docker: call('docker', ['ps', '--all', '--quiet']).stdout.trim(),
    nerdctl: list('/run/cofferdam/nerdctl/containers'),
  });
  await until(() => Object.values(standing()).every(({ length }) => length === 0));
  report('left', standing());
}

process.on('uncaughtException', (error) => {
  report('failed', String(error.stack));
  process.exit(1);
});
mkdirSync(work, { recursive: true });
mkdirSync('/etc/cofferdam/profiles', { recursive: true });
writeFileSync('/etc/cofferdam/profiles/engine-tools.yaml', 'extends: base-tools\nimage: engine-tools\n');
report('first', run('first', [...base, '--', 'sh', '-c', 'cat /proc/self/cgroup; exit 3']));
report('oom', await askRun('oom', [...base, '--', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1']));
if (who !== 'cgroupfs') await live();
await leave();
