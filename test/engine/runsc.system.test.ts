// Owns the proof that gVisor runs the same plans behind a kernel of its own, and that nothing of it outlives us.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { parentOf } from '../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from '../system/needs.ts';
import { newId, type Scene, sandboxFile, sceneOf, testAsBoth, until } from '../system/scene.ts';

declareNeeds('runsc', 'base-tools', 'python-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

/** What the sentry does is the same for every caller: namespaces and ids around it are not. */
function testAsOne(title: string, body: (t: Test, scene: Scene) => Promise<void>): void {
  tap.test(title, (t) => body(t, sceneOf('plain user')));
}

const gvisor = ['--isolation', 'gvisor', '--profile', 'base-tools'];

function members(scene: Scene, id: string): number[] {
  const leaf = parentOf(locateCgroups(scene.uid), 'memory') ?? '';
  try {
    const text = readFileSync(join(leaf, id, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch {
    return [];
  }
}

function readOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

const isAlive = (pid: number) => /^State:\s*[^Z\s]/m.test(readOf(pid, 'status'));
const roleOf = (pid: number) => /^runsc-(sandbox|gofer)/.exec(readOf(pid, 'cmdline'))?.[1];

const look = `
cat /proc/version; uname -v
grep -E "^(Uid|CapEff|CapBnd|Seccomp):" /proc/self/status
for path in / /etc /sys /proc/sys; do [ ! -w "$path" ] || echo "writable $path"; done
sed 1,2d /proc/net/dev | cut -d: -f1
awk '$5 == "/tmp" { print $6 }' /proc/self/mountinfo
`;

testAsBoth("the kernel inside is gVisor's, and the boundary that of a profile", async (t, scene) => {
  const host = readFileSync('/proc/version', 'utf8').trim();
  const { status, stdout, stderr } = await scene.run([...gvisor, '--', 'sh', '-c', look]);
  t.equal(status, 0, stderr);
  const control = await scene.run(['--profile', 'base-tools', '--', 'cat', '/proc/version']);
  t.equal(control.stdout.trim(), host, "with isolation: process it is the host's");
  const lines = stdout.split('\n');
  t.not(lines[0], host);
  t.match(lines[0], /^Linux version 4\.4\.0 /);
  for (const line of ['Uid:\t65532\t65532\t65532\t65532', 'CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000'])
    t.ok(lines.includes(line), line);
  t.ok(lines.includes('Seccomp:\t2'), 'the filter is loaded in the sentry');
  t.notMatch(stdout, /^writable /m);
  t.match(stdout, /^ *lo$/m);
  t.match(stdout, /^rw,noexec/m);
});

testAsBoth("sentry and gofer have the sandbox's ids, a filter and namespaces of their own", async (t, scene) => {
  const id = newId();
  const run = scene.spawn(sandboxFile, ['run', '--id', id, ...gvisor, '--', 'sh', '-c', 'echo ready; sleep 60']);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  const pids = members(scene, id);
  for (const role of ['sandbox', 'gofer']) {
    const pid = pids.find((candidate) => roleOf(candidate) === role) ?? 0;
    const found = readOf(pid, 'status');
    t.match(found, /^Uid:\t(?!0\t)[0-9]+\t/m, `${role} is not root of the host`);
    t.match(found, /^NoNewPrivs:\t1$/m, role);
    t.match(found, /^Seccomp:\t2$/m, role);
  }
  run.child.kill('SIGTERM');
  await run.ended;
  t.same(scene.traces(id), []);
});

testAsBoth("the program's status, streams, arguments and environment pass through", async (t, scene) => {
  const args = ['a b', '', '$(id)', '"\'\n\\', '--help', '-', '💧'];
  const script = 'cat; echo err >&2; printf "%s|" "$A" "$@"; exit 7';
  const words = ['--stdin', '--env', 'A=x "y"\n$z', '--', 'sh', '-c', script, 'sh', ...args];
  const { status, stdout, stderr } = await scene.run([...gvisor, ...words], { input: Buffer.from('over the wall,') });
  t.equal(status, 7, stderr);
  t.equal(stdout, `over the wall,${['x "y"\n$z', ...args].map((arg) => `${arg}|`).join('')}`);
  t.equal(stderr, 'err\n');
  t.equal((await scene.run([...gvisor, '--', 'nonesuch'])).status, 127);
  t.equal((await scene.run([...gvisor, '--', '/etc/passwd'])).status, 126);
  t.equal((await scene.run([...gvisor, '--', 'sh', '-c', 'kill -9 $$'])).status, 137);
  t.equal(statSync('/dev/null').uid, 0, "the host's /dev/null belongs to root afterwards");
});

const attempts = `
import ctypes, mmap, threading
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, number, *args):
    done = libc.syscall(number, *args)
    print(name, "ok" if done >= 0 else ctypes.get_errno())
attempt("keyctl", 250, 0, 0, 0)
attempt("unheard", 999)
attempt("clone3", 435, 0, 0)
attempt("vsock", 41, 40, 1, 0)
attempt("device", 133, b"/tmp/device", 0o60600, 0)
attempt("socket", 41, 1, 1, 0)
def enter(number):
    code = b"\\x53\\x31\\xdb\\x31\\xc9\\x31\\xd2\\x31\\xff\\x31\\xf6\\xb8" + number.to_bytes(4, "little") + b"\\xcd\\x80\\x48\\x98\\x5b\\xc3"
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
# A 32-bit call is the 64-bit one of its number: keyctl, not the 32-bit fadvise64.
print("32-bit", enter(250))
thread = threading.Thread(target=lambda: print("thread"))
thread.start()
thread.join()
`;

testAsOne('the filter answers with the errno of ours: EPERM for refused, ENOSYS for missing', async (t, scene) => {
  const args = ['--isolation', 'gvisor', '--profile', 'python-tools', '--', 'python3', '-c', attempts];
  const { stdout, stderr } = await scene.run(args);
  t.equal(stdout, 'keyctl 1\nunheard 38\nclone3 38\nvsock 1\ndevice 1\nsocket ok\n32-bit -1\nthread\n', stderr);
});

testAsBoth('memory is bounded with the sentry in it, and an end by the kernel is told', async (t, scene) => {
  const { status, result } = await scene.runJson([...gvisor, '--memory', '128m', '--', 'tail', '/dev/zero']);
  t.equal(status, 137);
  t.equal(result.status, 'oom');
});

testAsOne('files in a scratch workspace count as memory', async (t, scene) => {
  const fill = 'dd if=/dev/zero of=/workspace/f bs=1M count=200 2>/dev/null; echo full';
  const { status, stdout } = await scene.runJson([...gvisor, '--memory', '96m', '--', 'sh', '-c', fill]);
  t.equal(status, 137, stdout);
});

testAsOne('a fork bomb ends its own sandbox, and is told as a breakdown', async (t, scene) => {
  const bomb = 'i=0; while [ $i -lt 300 ]; do sleep 30 & i=$((i + 1)); done; wait';
  const { status, result } = await scene.runJson([...gvisor, '--pids', '128', '--', 'sh', '-c', bomb]);
  t.equal(status, 125, JSON.stringify(result));
  t.match(`${result.error?.message} ${result.stderr}`, /gVisor's kernel broke down/);
  t.equal(result.limits.pidsHit, true);
});

testAsOne('a timeout ends a program that ignores TERM', async (t, scene) => {
  const args = [...gvisor, '--timeout', '1s', '--', 'sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];
  t.equal((await scene.run(args)).status, 124);
});

testAsBoth('TERM reaches the program, which may still say something', async (t, scene) => {
  const id = newId();
  const script = 'trap "echo ended; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
  const run = scene.spawn(sandboxFile, ['run', '--id', id, ...gvisor, '--', 'sh', '-c', script]);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  run.child.kill('SIGTERM');
  const { status, stdout } = await run.ended;
  t.equal(status, 143);
  t.match(stdout, /^ended$/m);
  t.same(scene.traces(id), []);
});

testAsBoth('sentry, gofer and stubs die with a supervisor that is killed', async (t, scene) => {
  const id = newId();
  const run = scene.spawn(sandboxFile, ['run', '--id', id, ...gvisor, '--', 'sh', '-c', 'echo ready; sleep 60']);
  t.ok(await until(() => run.out().includes('ready')), 'it starts');
  const pids = members(scene, id);
  t.same(new Set(pids.map(roleOf).filter(Boolean)), new Set(['sandbox', 'gofer']), 'limits hold for both');
  const record = readFileSync(join(scene.paths.run, 'records', id), 'utf8');
  process.kill(Number(record.split(' ')[2]), 'SIGKILL');
  t.ok(await until(() => !pids.some(isAlive)), 'all of them end');
  await run.ended;
  await scene.sandbox(['gc']);
  t.same(scene.traces(id), []);
});

testAsBoth('a writable workspace belongs to its owner, and its guarded places stay as they are', async (t, scene) => {
  const file = scene.write('work/.git/hooks/pre-commit', 'mine');
  const folder = join(file, '../../..');
  const owner = sceneOf('plain user');
  if (scene.uid === 0) await scene.spawn('/bin/chown', ['-R', `${owner.uid}:${owner.gid}`, folder]).ended;
  const act = 'echo new >/workspace/new; echo bad >/workspace/.git/hooks/pre-commit; mv /workspace/.git /workspace/g';
  const { stderr } = await scene.run([...gvisor, '--workspace', `${folder}:rw`, '--', 'sh', '-c', act]);
  t.match(stderr, /Read-only file system[\s\S]*Device or resource busy/);
  t.equal(statSync(join(folder, 'new')).uid, owner.uid);
  t.equal(readFileSync(file, 'utf8'), 'mine');
});

testAsOne('a read-only workspace cannot be written, and artifacts come out', async (t, scene) => {
  scene.write('read/file', 'seen');
  scene.write('out/.keep', '');
  const act = 'cat /workspace/file; touch /workspace/new || echo refused; echo art >/artifacts/a';
  const { stdout, result } = await scene.runJson([
    ...gvisor,
    ...['--workspace', `${join(scene.home, 'read')}:ro`, '--artifacts', join(scene.home, `art-${newId()}`)],
    ...['--', 'sh', '-c', act],
  ]);
  t.match(result.stdout, /^seenrefused\n/, stdout);
  t.same(
    result.artifacts.map(({ path }) => path),
    ['a'],
  );
});

tap.test('refuses limits that the sentry alone would use up, naming them', async (t) => {
  const scene = sceneOf('plain user');
  for (const limit of [
    ['--memory', '32m'],
    ['--pids', '64'],
  ]) {
    const { status, stderr } = await scene.run([...gvisor, ...limit, '--', 'true']);
    t.equal(status, 125, stderr);
    t.match(stderr, /runsc cannot enforce limits\.(memory|pids)/);
  }
});

tap.test('refuses gVisor by way of an engine that cannot do it, and a flag that loosens', async (t) => {
  const scene = sceneOf('plain user');
  const nerdctl = await scene.run([...gvisor, '--engine', 'nerdctl', '--', 'true']);
  t.match(nerdctl.stderr, /nerdctl cannot enforce isolation: gvisor/);
  const profile = scene.write('strong.yaml', 'extends: base-tools\nisolation: gvisor\n');
  const loose = await scene.run(['--profile', profile, '--isolation', 'process', '--', 'true']);
  t.equal(loose.status, 2);
  t.match(loose.stderr, /looser than the gvisor of the profile/);
  const strong = await scene.run(['--profile', profile, '--', 'uname', '-v']);
  t.match(strong.stdout, /2016/, 'the profile alone suffices');
});
