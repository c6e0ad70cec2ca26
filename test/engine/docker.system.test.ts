// Owns the proof that docker runs the same plans within the boundary that the matrix promises, and that nothing of it outlives us.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { readHostIds } from '../../lib/engine/subids.ts';
import { findImage } from '../../lib/image/find.ts';
import { declareNeeds } from '../system/needs.ts';
import { newId, sceneOf, until } from '../system/scene.ts';
import { findProcesses, membersOf } from '../system/traces.ts';
import { startDocker } from './dockerScene.ts';

declareNeeds('unshare', 'base-tools');

const scene = sceneOf('root');
const docker = await startDocker();
const engine = ['--engine', 'docker', '-p', 'base-tools'];

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const look = `
id -u
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp|Uid):" /proc/self/status
for path in / /etc /sys /proc/sys; do [ ! -w "$path" ] || echo "writable $path"; done
for path in /dev/mqueue /sys/fs/cgroup; do [ -z "$(ls -A "$path")" ] || echo "full $path"; done
sed 1,2d /proc/net/dev | cut -d: -f1
awk '$5 == "/tmp" { print $6, $NF }' /proc/self/mountinfo
ulimit -n
umask
cat /etc/hosts /etc/resolv.conf
unshare -U true 2>&1 || :
true >/etc/x || :
`;

test('the boundary is the one that the matrix promises', async (t) => {
  const { status, stdout, stderr } = await docker.run(['--', 'sh', '-c', look]);
  t.equal(status, 0, stderr);
  t.match(stdout, /^65532\n/);
  for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
    t.ok(stdout.split('\n').includes(line), line);
  t.notMatch(stdout, /^(writable|full) /m);
  t.match(stdout, /^ *lo$/m);
  t.match(stdout, /^rw,nosuid,nodev,noexec,relatime rw,size=\d+k,nr_inodes=\d+,mode=700/m);
  t.match(stdout, /^1024\n0022$/m);
  t.notMatch(stdout, /nameserver/);
  t.match(stdout, /unshare failed: Operation not permitted/);
  t.match(stderr, /Read-only file system/);
});

test('verify finds nothing that the matrix does not admit', async (t) => {
  const { stdout, stderr, status } = await docker.start(['verify', '--json', ...engine]).ended;
  const verified = JSON.parse(stdout) as { checks: { id: string; level: string; seen: string }[] };
  t.same(
    verified.checks.filter(({ level }) => level === 'FAIL').map(({ id, seen }) => `${id}: ${seen}`),
    [],
    stderr,
  );
  t.equal(status, 0);
  t.ok(verified.checks.filter(({ level }) => level === 'PASS').length >= 220);
});

test('the program is a subordinate id on the host, and in the control groups of its run', async (t) => {
  const id = newId();
  const run = docker.start(['run', ...engine, '--id', id, '--stdin', '--', 'sh', '-c', 'echo up; read line'], {
    input: 'open',
  });
  t.ok(await until(() => run.out().includes('up')));
  const pids = membersOf(0, id);
  t.equal(pids.length, 2, 'our init and the program, and neither a client nor a script of ours');
  const { subuids } = readHostIds(0, 0);
  for (const pid of pids)
    t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${subuids.start + 65532}\\t`, 'm'));
  run.child.stdin?.end('\n');
  await run.ended;
  t.ok(await docker.isGone(id));
});

test("the program's status, streams, environment and standard input pass through", async (t) => {
  const script = 'cat; echo err >&2; exit 7';
  const { status, stdout, stderr } = await docker.run(['--stdin', '--', 'sh', '-c', script], {
    input: Buffer.from('over the wall'),
  });
  t.match({ status, stdout, stderr }, { status: 7, stdout: 'over the wall', stderr: 'err\n' });
  t.equal((await docker.run(['--', 'nonesuch'])).status, 127);
  t.equal((await docker.run(['--', '/etc/passwd'])).status, 126);
  const { stdout: names } = await docker.run(['--env', 'A=b c', '--', 'env']);
  t.match(names, /^A=b c$/m);
  t.notMatch(names, /^(HOSTNAME|PWD|container)=/m);
});

test('arguments arrive as they were given', async (t) => {
  const args = ['a b', '', '$(id)', '"\'\n\\', '--help', '-', '💧'];
  const { stdout } = await docker.run(['--', 'sh', '-c', 'printf "%s|" "$@"', 'sh', ...args]);
  t.equal(stdout, args.map((arg) => `${arg}|`).join(''));
});

test('a host folder of any name is mounted read-only', async (t) => {
  scene.write('a,b "c"/file', 'inside');
  const folder = join(scene.home, 'a,b "c"');
  const { stdout, stderr } = await docker.run(['-w', `${folder}:ro`, '--', 'sh', '-c', 'cat file; : >new']);
  t.equal(stdout, 'inside');
  t.match(stderr, /Read-only file system/);
});

test('memory is bounded, and an end by the kernel is told', async (t) => {
  const { status, result } = await docker.runJson(['--memory', '64m', '--', 'tail', '/dev/zero']);
  t.equal(status, 137);
  t.equal(result.status, 'oom');
});

test('processes are bounded, and that they were is told', async (t) => {
  const bomb = 'i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i + 1)); done';
  const { result } = await docker.runJson(['--pids', '16', '--', 'sh', '-c', bomb]);
  t.ok(result.limits.pidsHit);
});

test('a timeout ends a program that ignores TERM', async (t) => {
  const args = ['--timeout', '1s', '--', 'sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];
  t.equal((await docker.run(args)).status, 124);
});

test('TERM reaches the program, which may still say something', async (t) => {
  const id = newId();
  const script = 'trap "echo ended; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
  const run = docker.start(['run', '--id', id, ...engine, '--', 'sh', '-c', script]);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  run.child.kill('SIGTERM');
  const { status, stdout } = await run.ended;
  t.equal(status, 143);
  t.match(stdout, /^ended$/m);
  t.ok(await docker.isGone(id));
});

test('the container dies with a supervisor that is killed', async (t) => {
  const id = newId();
  const run = docker.start(['run', '--id', id, ...engine, '--', 'sh', '-c', 'echo ready; exec sleep 60']);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  const pids = membersOf(0, id);
  t.equal(pids.length, 2);
  const record = readFileSync(join(scene.paths.run, 'records', id), 'utf8');
  process.kill(Number(record.split(' ')[2]), 'SIGKILL');
  t.ok(await until(() => !pids.some(isAlive), 5), 'all of them end');
  await run.ended;
  await docker.start(['gc']).ended;
  t.ok(await docker.isGone(id));
});

const pieces = { 'our script': /docker-run/, 'the client': /start --attach/ };
for (const [name, command] of Object.entries(pieces)) {
  test(`the container dies when ${name} is killed`, async (t) => {
    const id = newId();
    const run = docker.start(['run', '--id', id, ...engine, '--', 'sh', '-c', 'echo ready; exec sleep 60']);
    t.ok(await until(() => run.out().includes('ready')), 'it starts');
    const found = findProcesses(id).filter(
      (entry) => command.test(entry.command) && !/supervise|main\.js/.test(entry.command),
    );
    t.equal(found.length, 1);
    process.kill(found[0]?.pid ?? -1, 'SIGKILL');
    t.equal((await run.ended).status, 137);
    t.ok(await docker.isGone(id));
  });
}

test('when all of ours are killed at one moment, gc ends the container', async (t) => {
  const id = newId();
  const run = docker.start(['run', '--id', id, ...engine, '--', 'sh', '-c', 'echo ready; exec sleep 60']);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  const guests = membersOf(0, id);
  const ours = findProcesses(id).filter(({ pid, command }) => !guests.includes(pid) && !/main\.js/.test(command));
  t.ok(ours.length >= 4, ours.map(({ command }) => command).join('\n'));
  // The watch first: it would do its work in between.
  for (const { pid } of ours.sort((a, b) => Number(/watch/.test(b.command)) - Number(/watch/.test(a.command))))
    process.kill(pid, 'SIGKILL');
  await run.ended;
  await docker.start(['gc']).ended;
  t.notOk(guests.some(isAlive));
  t.ok(await docker.isGone(id));
});

test('gc removes a container that was made and never started, and no other', async (t) => {
  const { digest } = findImage('base-tools', scene.paths.imageStores);
  const image = `cofferdam:${digest.replace(':', '-')}`;
  const labels = ['--label', `cofferdam.records=${join(scene.paths.run, 'records')}`];
  const make = (id: string) => docker.docker('create', ...labels, '--label', `cofferdam.run=${id}`, image, 'true');
  const dead = newId();
  await make(dead);
  const id = newId();
  const run = docker.start(
    ['run', ...engine, '--id', id, '--stdin', '--', 'sh', '-c', 'echo up; read line; echo $line'],
    {
      input: 'open',
    },
  );
  t.ok(await until(() => run.out().includes('up')));
  const { containers } = JSON.parse((await docker.start(['gc', '--json']).ended).stdout) as { containers: string[] };
  t.same(containers, [dead]);
  run.child.stdin?.end('still here\n');
  t.match((await run.ended).stdout, 'still here');
  t.ok(await docker.isGone(id));
});

test("the daemon's image is ours to the byte, or another is made", async (t) => {
  const { digest } = findImage('base-tools', scene.paths.imageStores);
  const image = `cofferdam:${digest.replace(':', '-')}`;
  const layers = async () => docker.docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image);
  t.equal((await layers()).trim(), JSON.stringify([digest]));
  const made = await docker.docker('create', image, 'true');
  await docker.docker('commit', '--change', 'ENV LD_PRELOAD=/tmp/x', made.trim(), image);
  await docker.docker('rm', made.trim());
  // Another label, so that no plan of before is used.
  const { stdout } = await docker.run(['--label', 'again=yes', '--env', 'AGAIN=yes', '--', 'env']);
  t.notMatch(stdout, 'LD_PRELOAD');
  t.equal((await layers()).trim(), JSON.stringify([digest]));
});

const refusals = [
  {
    says: /workspace\.mode: rw.*crun, podman and nerdctl can/,
    args: ['-w', `${dirname(sceneOf('plain user').write('project/file', ''))}:rw`],
  },
  { says: /artifacts: .*crun, podman and nerdctl can/, args: ['--artifacts', join(scene.home, 'out')] },
];
for (const { says, args } of refusals) {
  test(`refuses ${args[0]} by name, and says which engine can`, async (t) => {
    const { status, stderr } = await docker.start(['run', ...engine, ...args, '--', 'true']).ended;
    t.equal(status, 125);
    t.match(stderr, says);
  });
}

test('refuses a daemon that gives containers no user namespace', async (t) => {
  const other = await startDocker([]);
  const { status, stderr } = await other.start(['run', ...engine, '--', 'echo', 'started']).ended;
  t.equal(status, 125);
  t.match(stderr, /no user namespace.*\n.*userns-remap=cofferdam/);
});

test('refuses a daemon that does not answer, with what to do', async (t) => {
  const { status, stderr } = await scene.sandbox(['run', ...engine, '--', 'true']);
  t.equal(status, 125);
  t.match(stderr, /daemon does not answer at \/run\/docker\.sock[^\n]*\n.*systemctl start docker/);
});
