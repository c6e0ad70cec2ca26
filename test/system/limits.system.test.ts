// Owns the proof of the limits: each is met by a program that wants more, and its end is told truly.
import { join } from 'node:path';
import type { Controller } from '../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from './needs.ts';
import { newId, testAsBoth, testAsUser, until } from './scene.ts';
import { leafOf, membersOf, readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools', 'python-tools');

const version = locateCgroups(0).version;
const base = ['-p', 'base-tools'];
const hog = 'import sys; pages = []\nwhile True: pages.append(bytearray(b"x") * (1 << 20))';

testAsBoth('ends a program that takes more memory than it may, and says oom', async (t, scene) => {
  const { status, result } = await scene.runJson(['-p', 'python-tools', '--memory', '64m', '--', 'python3', '-c', hog]);
  t.equal(status, 137);
  t.match(result, { status: 'oom', reason: 'oom', exitCode: 137, signal: 'SIGKILL' });
  const enough = await scene.run([
    '-p',
    'python-tools',
    '--memory',
    '64m',
    '--',
    'python3',
    '-c',
    'len(bytearray(b"x") * (16 << 20))',
  ]);
  t.equal(enough.status, 0, 'control: less is allowed');
});

testAsBoth('ends the whole sandbox when a child in the background is out of memory', async (t, scene) => {
  const script = `python3 -c '${hog}' & wait $!; echo "child $?"; exec sleep 600`;
  const { status, result } = await scene.runJson([
    '-p',
    'python-tools',
    '--memory',
    '64m',
    '--timeout',
    '60s',
    '--',
    'sh',
    '-c',
    script,
  ]);
  // Version 2 kills the group as one; on version 1 the rest is ours to kill.
  t.match(result, { status: 'oom', exitCode: 137 });
  t.equal(status, 137);
});

testAsUser('a program that exits with 137 or is killed by itself was not out of memory', async (t, scene) => {
  const own = await scene.runJson([...base, '--', 'sh', '-c', 'exit 137']);
  t.match(own.result, { status: 'failed', exitCode: 137 });
  const killed = await scene.runJson([...base, '--', 'sh', '-c', 'kill -9 $$']);
  t.match(killed.result, { status: 'failed', exitCode: 137, signal: 'SIGKILL' });
});

testAsBoth('bounds processes and threads', async (t, scene) => {
  const fork = `import os, time
made = 0
try:
    while made < 200:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError as error: print(made, error.errno == 11)
else: print(made, 'all')`;
  const bounded = await scene.run(['-p', 'python-tools', '--pids', '20', '--', 'python3', '-c', fork]);
  const [made, again] = bounded.stdout.trim().split(' ');
  t.equal(again, 'True', bounded.stdout + bounded.stderr);
  t.ok(Number(made) >= 10 && Number(made) < 20, `${made} children`);
  const wide = await scene.run(['-p', 'python-tools', '--', 'python3', '-c', fork.replaceAll('200', '100')]);
  t.equal(wide.stdout, '100 all\n', 'control: the default allows a hundred');
});

testAsBoth('marks a run whose fork was refused, and no other', async (t, scene) => {
  const many = 'for i in $(seq 40); do sleep 5 & done';
  const hit = await scene.runJson([...base, '--pids', '20', '--', 'sh', '-c', many]);
  t.match(hit.result, { status: 'failed', reason: 'exited', limits: { pidsHit: true, lacking: [] } });
  const not = await scene.runJson([...base, '--', 'sh', '-c', 'sleep 0 & wait']);
  t.match(not.result, { status: 'completed', limits: { pidsHit: false, lacking: [] } });
});

testAsBoth('survives a fork bomb, and leaves nothing of it', async (t, scene) => {
  const bomb = await scene.run([
    ...base,
    '--pids',
    '64',
    '--timeout',
    '1s',
    '--',
    'bash',
    '-c',
    'f() { f | f & }; f; sleep 60',
  ]);
  t.ok([124, 137, 254].includes(bomb.status ?? 0), `status ${bomb.status}`);
});

testAsBoth('bounds processor time', async (t, scene) => {
  const spin =
    'import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())';
  const slow = await scene.run(['-p', 'python-tools', '--cpus', '0.2', '--', 'python3', '-c', spin]);
  t.ok(Number(slow.stdout) < 0.5, `a fifth of a second, ${slow.stdout.trim()} s`);
});

testAsBoth('bounds open files, file size and core dumps', async (t, scene) => {
  const profile = scene.write('small.yaml', 'extends: python-tools\nlimits: { openFiles: 64, fileSize: 1m }\n');
  const open =
    'import os\nn = 0\ntry:\n    while True: os.open("/dev/null", 0); n += 1\nexcept OSError as e: print(n, e.errno)';
  const files = await scene.run(['-p', profile, '--', 'python3', '-c', open]);
  const [count, errno] = files.stdout.trim().split(' ').map(Number);
  t.ok(errno === 24 && (count ?? 0) > 50 && (count ?? 0) <= 64, files.stdout + files.stderr);
  const large = await scene.runJson(['-p', profile, '--', 'sh', '-c', 'exec head -c 2000000 /dev/zero >large']);
  t.match(large.result, { exitCode: 153, signal: 'SIGXFSZ', status: 'failed' });
  const raised = await scene.run(['-p', profile, '--', 'sh', '-c', 'ulimit -H -n 128 || echo refused']);
  t.match(raised.stdout, /refused/, 'nobody inside raises a limit');
  const core = await scene.run([
    ...base,
    '--',
    'sh',
    '-c',
    'sh -c "kill -SEGV \\$\\$"; echo $?; find /workspace /tmp -type f',
  ]);
  t.equal(core.stdout, '139\n', 'no core file');
});

testAsUser('bounds bytes and files of every writable place', async (t, scene) => {
  const text =
    'extends: base-tools\nworkspace: { size: 1m, inodes: 64 }\ntmpfs: { tmp: 1m, run: 1m, inodes: 64 }\nartifacts: { size: 1m, maxCount: 8 }\n';
  const profile = scene.write('tiny.yaml', text);
  const script = `export LC_ALL=C
for place in /workspace /workspace/.tmp /tmp /run /dev/shm /artifacts; do
	# Shared memory lies in /run, which has the bytes of both.
	case $place in /run | /dev/shm) most=2097152 ;; *) most=1048576 ;; esac
	head -c 3000000 /dev/zero 2>/dev/null >$place/large && echo "$place took it"
	bytes=$(wc -c <$place/large); rm $place/large
	[ "$bytes" -le $most ] || echo "$place holds $bytes"
	n=0; while [ $n -lt 3000 ] && : 2>/dev/null >$place/f$n; do n=$((n + 1)); done
	[ $n -lt 1100 ] || echo "$place holds $n files"
	rm -f $place/f*
	head -c 500000 /dev/zero >$place/less || echo "$place takes nothing"
done
`;
  const ended = await scene.run(['-p', profile, '--', 'bash', '-c', script]);
  t.equal(ended.stdout, '', ended.stderr);
});

testAsUser('ends at the timeout with TERM, and with KILL a program that ignores it', async (t, scene) => {
  const polite = await scene.runJson([
    ...base,
    '--timeout',
    '4s',
    '--',
    'sh',
    '-c',
    'trap "echo term; exit 3" TERM; sleep 60 & wait',
  ]);
  t.equal(polite.status, 124);
  t.match(polite.result, { status: 'timeout', reason: 'timeout', stdout: 'term\n' });
  const stubborn = await scene.runJson([
    ...base,
    '--timeout',
    '1s',
    '--',
    'sh',
    '-c',
    'trap "" TERM INT HUP; while :; do sleep 1; done',
  ]);
  t.match(stubborn.result, { status: 'timeout', exitCode: 124 });
  t.ok(stubborn.result && stubborn.status === 124);
  const own = await scene.runJson([...base, '--', 'sh', '-c', 'exit 124']);
  t.match(own.result, { status: 'failed', reason: 'exited', exitCode: 124 }, 'its own 124 is told from a timeout');
});

testAsUser('ends a program that is silent for too long, and not one that speaks', async (t, scene) => {
  const profile = scene.write('idle.yaml', 'extends: base-tools\nlimits: { idle: 2s }\n');
  const silent = await scene.runJson(['-p', profile, '--', 'sleep', '60']);
  t.match(silent.result, { status: 'timeout', reason: 'idle', exitCode: 124 });
  const talking = await scene.runJson([
    '-p',
    profile,
    '--',
    'sh',
    '-c',
    'for i in $(seq 12); do echo $i; sleep 0.2; done',
  ]);
  t.match(talking.result, { status: 'completed', exitCode: 0 });
});

testAsBoth('the limits stand in the cgroup while it runs, with the program in it', async (t, scene) => {
  const id = newId();
  const started = scene.spawn(join(scene.paths.install, 'bin/sandbox'), [
    'run',
    '--id',
    id,
    ...base,
    '--memory',
    '100m',
    '--cpus',
    '0.5',
    '--pids',
    '33',
    '--',
    'sh',
    '-c',
    'echo up; sleep 60',
  ]);
  t.ok(await until(() => started.out().length > 0), started.err().toString());
  const read = (controller: Controller, file: string) => readSoft(join(leafOf(scene.uid, id, controller), file)).trim();
  const memory = String(100 * 2 ** 20);
  if (version === 1) {
    t.equal(read('memory', 'memory.limit_in_bytes'), memory);
    t.equal(Number(read('cpu', 'cpu.cfs_quota_us')) / Number(read('cpu', 'cpu.cfs_period_us')), 0.5);
  } else {
    t.equal(read('memory', 'memory.max'), memory);
    t.equal(read('memory', 'memory.swap.max'), '0');
    t.equal(read('cpu', 'cpu.max'), '50000 100000');
  }
  t.equal(read('pids', 'pids.max'), '33');
  const commands = () => membersOf(scene.uid, id).map((pid) => readSoft(`/proc/${pid}/cmdline`));
  t.ok(await until(() => commands().some((command) => command.startsWith('sleep\0'))), commands().join(' '));
  started.child.kill('SIGTERM');
  t.equal((await started.ended).status, 143);
  t.strictSame(scene.traces(id), []);
});
