// Owns the proof that podman runs the same plans within the same boundary, and that nothing of it outlives us.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { newId, type Scene, sandboxFile, testAsBoth, until } from '../system/scene.ts';

const podman = ['--engine', 'podman', '--profile', 'base-tools'];

function members(scene: Scene, id: string): number[] {
  return locateCgroups(scene.uid).folders.flatMap(({ path }) => {
    try {
      return readFileSync(join(path, id, 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map(Number);
    } catch {
      return [];
    }
  });
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const look = `
id -u
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status
for path in / /etc /sys /proc/sys; do [ ! -w "$path" ] || echo "writable $path"; done
for path in /dev/mqueue /sys/fs/cgroup /proc/bus; do [ -z "$(ls -A "$path")" ] || echo "full $path"; done
sed 1,2d /proc/net/dev | cut -d: -f1
awk '$5 == "/tmp" { print $6, $NF }' /proc/self/mountinfo
ulimit -n
`;

testAsBoth('the boundary is that of the default engine', async (t, scene) => {
  const { status, stdout, stderr } = await scene.run([...podman, '--', 'sh', '-c', look]);
  t.equal(status, 0, stderr);
  t.match(stdout, /^65532\n/);
  for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2']) {
    t.ok(stdout.split('\n').includes(line), line);
  }
  t.notMatch(stdout, /^(writable|full) /m);
  t.match(stdout, /^ *lo$/m);
  t.match(stdout, /^rw,nosuid,nodev,noexec,relatime rw,size=\d+k,nr_inodes=\d+,mode=700/m);
});

testAsBoth("the program's status, streams and standard input pass through", async (t, scene) => {
  const { status, stdout, stderr } = await scene.run(
    [...podman, '--stdin', '--', 'sh', '-c', 'cat; echo err >&2; exit 7'],
    {
      input: Buffer.from('over the wall'),
    },
  );
  t.equal(status, 7);
  t.equal(stdout, 'over the wall');
  t.equal(stderr, 'err\n');
  t.equal((await scene.run([...podman, '--', 'nonesuch'])).status, 127);
  t.equal((await scene.run([...podman, '--', '/etc/passwd'])).status, 126);
});

testAsBoth('arguments arrive as they were given', async (t, scene) => {
  const args = ['a b', '', '$(id)', '"\'\n\\', '--help', '-', '💧'];
  const { stdout } = await scene.run([...podman, '--', 'sh', '-c', 'printf "%s|" "$@"', 'sh', ...args]);
  t.equal(stdout, args.map((arg) => `${arg}|`).join(''));
});

testAsBoth("the host's /dev/null belongs to root afterwards", async (t, scene) => {
  await scene.run([...podman, '--', 'true']);
  t.equal(statSync('/dev/null').uid, 0);
});

testAsBoth('memory is bounded, and an end by the kernel is told', async (t, scene) => {
  const { status, result } = await scene.runJson([...podman, '--memory', '128m', '--', 'tail', '/dev/zero']);
  t.equal(status, 137);
  t.equal(result.status, 'oom');
});

testAsBoth('a timeout ends a program that ignores TERM', async (t, scene) => {
  const args = [...podman, '--timeout', '1s', '--', 'sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];
  t.equal((await scene.run(args)).status, 124);
});

testAsBoth('TERM reaches the program, which may still say something', async (t, scene) => {
  const id = newId();
  const script = 'trap "echo ended; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
  const run = scene.spawn(sandboxFile, ['run', '--id', id, ...podman, '--', 'sh', '-c', script]);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  run.child.kill('SIGTERM');
  const { status, stdout } = await run.ended;
  t.equal(status, 143);
  t.match(stdout, /^ended$/m);
  t.same(scene.traces(id), []);
});

testAsBoth('monitor and program die with a supervisor that is killed', async (t, scene) => {
  const id = newId();
  const run = scene.spawn(sandboxFile, ['run', '--id', id, ...podman, '--', 'sh', '-c', 'echo ready; sleep 60']);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  const held = () => new Set(members(scene, id).map(nameOf));
  t.ok(await until(() => held().has('conmon') && held().has('sleep')), 'limits hold for the monitor and the program');
  const pids = [...new Set(members(scene, id))];
  const record = readFileSync(join(scene.paths.run, 'records', id), 'utf8');
  process.kill(Number(record.split(' ')[2]), 'SIGKILL');
  t.ok(await until(() => !pids.some(isAlive)), 'all of them end');
  await run.ended;
  await scene.sandbox(['gc']);
  t.same(scene.traces(id), []);
});
