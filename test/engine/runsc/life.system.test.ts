// Owns the proof of a sandbox's life on gVisor: brought in by runsc with our filter, ended as a whole, and nothing left.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { type Live, makeLive } from '../../system/live.ts';
import { declareNeeds } from '../../system/needs.ts';
import { newId, type Scene, sceneOf, testAsBoth, until } from '../../system/scene.ts';
import { findProcesses, readSoft } from '../../system/traces.ts';
import { showEnds } from '../lifeExec.ts';

declareNeeds('runsc', 'base-tools', 'python-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const isAlive = (pid: number) => /^State:\s*[^ZX\s]/m.test(readSoft(`/proc/${pid}/status`));

const gvisor = ['--isolation', 'gvisor', '--pids', '512'];

function make(t: Test, scene: Scene, command: readonly string[] = []): Promise<Live> {
  return makeLive(t, scene, gvisor, command);
}

async function showConfinement(t: Test, live: Live): Promise<void> {
  for (const way of ['first', 'short']) {
    const { status, stdout, stderr } = await live.exec([], ['sh', '-c', 'uname -v; cat /proc/self/status; ulimit -a']);
    t.equal(status, 0, stderr);
    t.match(stdout, /2016/, `${way}: its kernel is gVisor's`);
    t.equal(stdout.match(/^Cap(Inh|Prm|Eff|Bnd):\t0{16}$/gm)?.length, 4);
    t.match(stdout, /^Seccomp:\t2$/m);
    t.match(stdout, /^Uid:(\t65532){4}$/m);
    t.match(stdout, /^nofiles +1024$/m, 'limits of the profile');
  }
  t.equal(statSync('/dev/null').uid, 0, "the host's /dev/null belongs to root afterwards");
}

const attempts = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, number, *args):
    print(name, "ok" if libc.syscall(number, *args) >= 0 else ctypes.get_errno())
attempt("keyctl", 250, 0, 0, 0)
attempt("unheard", 999)
attempt("clone3", 435, 0, 0)
attempt("vsock", 41, 40, 1, 0)
attempt("node", 133, b"/tmp/node", 0o60600, 0)
attempt("nodeat", 259, -100, b"/tmp/node", 0o20600, 0)
attempt("fifo", 133, b"/tmp/fifo", 0o10600, 0)
attempt("groups", 116, 0, 0)
attempt("socket", 41, 1, 1, 0)
`;

async function showFilter(t: Test, scene: Scene, live: Live): Promise<void> {
  const entered = await live.exec([], ['python3', '-c', attempts]);
  t.equal(
    entered.stdout,
    'keyctl 1\nunheard 38\nclone3 38\nvsock 1\nnode 1\nnodeat 1\nfifo ok\ngroups 1\nsocket ok\n',
    entered.stderr,
  );
  const own = await scene.run(['--isolation', 'gvisor', '--profile', 'python-tools', '--', 'python3', '-c', attempts]);
  t.equal(own.stdout, entered.stdout, 'as for a program of its own');
}

async function showStreams(t: Test, live: Live): Promise<void> {
  await showEnds(t, live);
  const words = ['a b', '', '"quoted"', "it's", 'new\nline', '\\n', '$HOME', 'é', '&'];
  const look = 'pwd; echo "$A"; printf "<%s>" "$@"';
  const asked = await live.exec(['-e', 'A=b c', '-w', '/tmp'], ['sh', '-c', look, 'sh', ...words]);
  const given = words.map((word) => `<${word}>`).join('');
  t.match(asked, { status: 0, stdout: `/tmp\nb c\n${given}` }, asked.stderr);
  t.equal((await live.exec(['-w', '/no/such'], ['true'])).status, 125);
  t.match(await live.exec(['-u', '0'], ['id']), { status: 2, stderr: /has one user/ });
  t.strictSame([...live.entries(), ...live.groups()], []);
}

const family = 'trap "" TERM; setsid sleep 301 & (setsid env -i /usr/bin/sleep 302 &); sleep 303; sleep 304';

async function sleepers(live: Live): Promise<string[]> {
  const look = 'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <$f; echo; done';
  const { stdout } = await live.exec([], ['sh', '-c', look]);
  return [...stdout.matchAll(/^\S*(sleep 30[1-4]) $/gm)].map(([, command = '']) => command).sort();
}

async function untilAsleep(live: Live, count: number): Promise<boolean> {
  for (let look = 0; look < 300; look++) if ((await sleepers(live)).length === count) return true;
  return false;
}

async function showTimeout(t: Test, live: Live): Promise<void> {
  const ended = await live.exec(['--timeout', '2s'], ['sh', '-c', family]);
  t.equal(ended.status, 124, ended.stderr);
  t.strictSame([...(await sleepers(live)), ...live.entries(), ...live.groups()], []);
}

async function showCallersDeath(t: Test, live: Live): Promise<void> {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGHUP'] as const) {
    const started = live.startExec([], ['sh', '-c', family]);
    t.ok(await untilAsleep(live, 3), 'all three run');
    started.child.kill(signal);
    t.ok(await untilAsleep(live, 0), signal);
    await started.ended;
    t.ok(await until(() => live.entries().length === 0 && live.groups().length === 0));
  }
}

async function showDetached(t: Test, scene: Scene, live: Live): Promise<void> {
  const detach = async (script: string) => (await live.exec(['-d'], ['sh', '-c', script])).stdout.trim();
  t.match(await scene.sandbox(['wait', await detach('exit 5')]), { status: 0, stdout: '5\n' });
  const long = await detach(family);
  t.ok(await untilAsleep(live, 3));
  t.match((await scene.sandbox(['ps', '--execs'])).stdout, new RegExp(`${long} .*${live.name}`));
  t.equal((await scene.sandbox(['kill', long])).status, 0);
  t.match(await scene.sandbox(['wait', long]), { status: 0, stdout: '143\n' });
  t.strictSame(await sleepers(live), []);
}

async function showFiles(t: Test, scene: Scene, live: Live): Promise<void> {
  const file = scene.write('in', 'over the wall');
  t.match(await scene.sandbox(['cp', file, `${live.name}:/workspace/in`]), { status: 0 });
  const make = 'cat /workspace/in; mkdir /workspace/d; echo x >/workspace/d/f; ln -s /etc/shadow /workspace/d/l';
  t.equal((await live.exec([], ['sh', '-c', make])).stdout, 'over the wall');
  const out = join(scene.home, `out-${newId()}`);
  const copied = await scene.sandbox(['cp', `${live.name}:/workspace/d`, out]);
  t.match(copied.stderr, /link/, 'it is named');
  t.equal(readFileSync(join(out, 'f'), 'utf8'), 'x\n');
  t.throws(() => statSync(join(out, 'l')), { code: 'ENOENT' });
}

testAsBoth('what is brought in', async (t, scene) => {
  const live = await makeLive(t, scene, [...gvisor, '-p', 'python-tools']);
  await t.test('has no capability, and runs in the sentry', (u) => showConfinement(u, live));
  await t.test('is judged by the filter of the sandbox, with the same answers', (u) => showFilter(u, scene, live));
  await t.test('has its own status, output, input and surroundings', (u) => showStreams(u, live));
  await t.test('ends with all that it started inside the sentry at its timeout', (u) => showTimeout(u, live));
  await t.test('ends with all that it started when its caller dies, or is told to', (u) => showCallersDeath(u, live));
  await t.test('is listed, waited for and ended, when it is detached', (u) => showDetached(u, scene, live));
  await t.test('takes and gives files with cp, and no link of the guest is followed', (u) => showFiles(u, scene, live));
  await t.test('leaves what it left in the background, until SIGKILL of the supervisor ends all', async (u) => {
    const ended = await live.exec([], ['sh', '-c', 'sleep 304 & echo started']);
    u.match(ended, { status: 0, stdout: 'started\n' });
    u.ok(await untilAsleep(live, 1));
    u.strictSame(await sleepers(live), ['sleep 304']);
    const started = live.startExec([], ['sh', '-c', family]);
    u.ok(await untilAsleep(live, 4));
    const pids = live.members();
    const [, , supervisor = ''] = readFileSync(join(scene.paths.run, 'records', live.run), 'utf8').split(' ');
    process.kill(Number(supervisor), 'SIGKILL');
    // Sentry, gofer and all inside, before anybody cleans up.
    u.ok(await until(() => !pids.some(isAlive)), 'all are dead');
    u.not((await started.ended).status, 0);
    u.equal((await scene.sandbox(['gc'])).status, 0);
    u.strictSame(scene.traces(live.run), []);
  });
});

// What grows has no moment at which it looks like less.
const counting = 'trap "echo got" USR1; echo begun; while :; do echo >>/workspace/counted; sleep 0.05; done';

tap.test('it is signalled, paused, stopped and started again, and its log goes on', async (t) => {
  const scene = sceneOf('plain user');
  const live = await make(t, scene, ['sh', '-c', counting]);
  const count = async () => (await live.exec([], ['cat', '/workspace/counted'])).stdout.length;
  t.equal((await scene.sandbox(['kill', '-s', 'USR1', live.name])).status, 0);
  t.equal((await scene.sandbox(['pause', live.name])).status, 0);
  t.match((await scene.sandbox(['ps', '--filter', `name=${live.name}`])).stdout, /Paused/);
  t.match(await live.exec([], ['true']), { status: 125, stderr: /it is paused/ });
  t.match((await scene.sandbox(['stats', '--no-stream', live.name])).stdout, / \/ 512 /);
  const frozen = live.members().map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]);
  await new Promise((done) => setTimeout(done, 300));
  const later = live.members().map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]);
  t.strictSame(later, frozen, 'no process of it used any time');
  t.equal((await scene.sandbox(['unpause', live.name])).status, 0);
  const before = await count();
  let after = before;
  for (let look = 0; look < 200 && after === before; look++) after = await count();
  t.ok(after > before, 'it counts on');
  t.match((await scene.sandbox(['logs', live.name])).stdout, /^got$/m);
  t.equal((await scene.sandbox(['stop', '-t', '1', live.name])).status, 0);
  t.match(await live.exec([], ['true']), { status: 125, stderr: /it is exited/ });
  t.equal((await scene.sandbox(['start', live.name])).status, 0);
  t.match(await live.exec([], ['echo', 'again']), { status: 0, stdout: 'again\n' });
  t.equal((await scene.sandbox(['logs', live.name])).stdout, 'begun\ngot\nbegun\n');
});

tap.test('nobody on the host reaches the control socket of a sentry', async (t) => {
  const scene = sceneOf('plain user');
  const live = await make(t, scene);
  const names = () => readFileSync('/proc/net/unix', 'utf8');
  t.notMatch(names(), `runsc-sandbox.${live.run}`);
  const within = live.members().map((pid) => readSoft(`/proc/${pid}/net/unix`));
  t.ok(
    within.some((text) => text.includes(`runsc-sandbox.${live.run}`)),
    'control: it has one',
  );
});

tap.test('refuses a sandbox whose kernel would run out of threads', async (t) => {
  const scene = sceneOf('plain user');
  const few = await scene.sandbox(['create', '-p', 'base-tools', '--isolation', 'gvisor', '--pids', '256']);
  t.match(few, { status: 125, stderr: /runsc cannot enforce limits\.pids of 256[\s\S]*--pids 512/ });
});

const cycles = join(import.meta.dirname, '../lifeCycle.ts');

// 100 together.
testAsBoth('50 cycles of create, exec and rm, two at a time, leave nothing', async (t, scene) => {
  const base = newId();
  const profile = scene.write('cycles.yaml', 'image: base-tools\nisolation: gvisor\nlimits: { pids: 512 }\n');
  const lanes = await Promise.all(
    [0, 1].map((lane) => scene.spawn(process.execPath, [cycles, 'crun', `${base}-${lane}`, '25', profile]).ended),
  );
  for (const { status, stderr } of lanes) t.equal(status, 0, stderr);
  const ids = lanes.flatMap(({ stdout }) => stdout.trim().split('\n'));
  t.equal(new Set(ids).size, 50);
  t.strictSame(findProcesses(base), []);
  for (const id of ids) t.strictSame(scene.traces(`${id}-1`), []);
});
