// Owns the proof that a command brought into a sandbox of any engine is confined as its program is, and dies when it must.
import type { Test } from 'tap';
import { confinementReport } from '../system/confinement.ts';
import { commandOf, type Live } from '../system/live.ts';
import { type Scene, until } from '../system/scene.ts';
import { type LifeStage, makeOn, stateOf, testOn } from './lifeStage.ts';

const family = 'trap "" TERM; setsid sleep 301 & (setsid sleep 302 &); sleep 303; sleep 304';

/** Of /proc/self/status; engines repeat the first group of the program here. */
const noGroups = 'Groups:\t ';

function sleepers(live: Live): string[] {
  return live
    .members()
    .map(commandOf)
    .filter((command) => /^sleep 30[1-9]$/.test(command))
    .sort();
}

async function showConfinement(t: Test, stage: LifeStage, live: Live): Promise<void> {
  const read = 'until [ -s /workspace/report ]; do sleep 0.05; done; cat /workspace/report';
  const { stdout } = await live.exec([], ['sh', '-c', read]);
  const own = stdout.split('\n').filter((line) => !stage.additions.includes(line));
  const entered = await live.exec([], ['sh', '-c', confinementReport]);
  t.match(entered, { status: 0, stderr: '' });
  t.strictSame(
    entered.stdout.split('\n').filter((line) => line !== noGroups),
    own,
  );
  t.match(entered.stdout, noGroups);
  t.match(entered.stdout, /^NoNewPrivs:\t1$/m);
  t.match(entered.stdout, /^Seccomp:\t2$/m);
  t.match(entered.stdout, /^Seccomp_filters:\t1$/m);
  t.equal(entered.stdout.match(/^Cap(Inh|Prm|Eff|Bnd|Amb):\t0{16}$/gm)?.length, 5);
}

// Each with what it is allowed instead, so that a program that is missing refuses nothing.
const attempts = `try() { if "$@" 2>/dev/null; then echo "$1 allowed"; else echo "$1 refused"; fi; }
try unshare -U true; try mount -t tmpfs x /tmp; try chown 0 /workspace; try mknod /tmp/d c 1 3; try touch /etc/x
try touch /tmp/x; try unshare --version; try mount; try mknod /tmp/p p
ls /sys/class/net; sed -n 's/^ *\\([a-z0-9]*\\):.*/dev \\1/p' /proc/net/dev`;

async function showRefusals(t: Test, scene: Scene, live: Live): Promise<void> {
  const { stdout, stderr } = await live.exec([], ['sh', '-c', attempts]);
  const refused = ['unshare', 'mount', 'chown', 'mknod', 'touch'].map((name) => `${name} refused`);
  const [answers, net] = [stdout.split('\n').filter((line) => /ed$/.test(line)), stdout.match(/^dev .*$/gm)];
  t.strictSame(answers.slice(0, 5), refused, stderr);
  t.strictSame(answers.filter((line) => /allowed$/.test(line)).length, 4, `the control: ${stdout}`);
  t.strictSame(net, ['dev lo'], 'nothing but lo');
  t.equal((await scene.spawn('/usr/bin/unshare', ['-U', 'true']).ended).status, 0, 'outside it is allowed');
  t.match(await live.exec(['-u', '0'], ['true']), { status: 2, stderr: /has one user, 65532:65532/ });
}

/** What goes in and comes out, and how it ends. */
export async function showEnds(t: Test, live: Live): Promise<void> {
  const both = await live.exec(['-i'], ['sh', '-c', 'cat; echo err >&2; exit 7'], { input: Buffer.from('in') });
  t.match(both, { status: 7, stdout: 'in', stderr: 'err\n' });
  t.equal((await live.exec([], ['no-such-program'])).status, 127);
  t.equal((await live.exec([], ['/etc/passwd'])).status, 126);
  t.equal((await live.exec([], ['sh', '-c', 'kill -TERM $$'])).status, 143);
}

async function showStreams(t: Test, live: Live): Promise<void> {
  await showEnds(t, live);
  const words = ['a b', '', '"quoted"', "it's", 'new\nline', '$HOME', 'é', '&'];
  const look = 'pwd; echo "$A $OWN"; wc -c; printf "<%s>" "$@"';
  const asked = await live.exec(['-e', 'A=b c', '-e', 'OWN=2', '-w', '/tmp'], ['sh', '-c', look, 'sh', ...words]);
  const given = words.map((word) => `<${word}>`).join('');
  t.match(asked, { status: 0, stdout: `/tmp\nb c 2\n0\n${given}` }, `stdin is empty unless asked for: ${asked.stderr}`);
  t.match(await live.exec(['-w', '/no/such'], ['true']), { status: 125, stderr: /No such file/ });
  t.strictSame([...live.entries(), ...live.groups()], []);
}

async function showDetached(t: Test, scene: Scene, live: Live): Promise<void> {
  const long = (await live.exec(['-d'], ['sh', '-c', family])).stdout.trim();
  t.ok(await until(() => sleepers(live).length === 3));
  t.equal((await scene.sandbox(['kill', long])).status, 0);
  t.match(await scene.sandbox(['wait', long]), { status: 0, stdout: '143\n' });
  t.strictSame(sleepers(live), []);
}

async function showTimeout(t: Test, live: Live): Promise<void> {
  const ended = await live.exec(['--timeout', '1s'], ['sh', '-c', family]);
  t.equal(ended.status, 124, ended.stderr);
  t.strictSame([...sleepers(live), ...live.entries(), ...live.groups()], []);
}

async function showCallersDeath(t: Test, live: Live): Promise<void> {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const started = live.startExec([], ['sh', '-c', family]);
    t.ok(await until(() => sleepers(live).length === 3), 'all three run');
    started.child.kill(signal);
    t.ok(await until(() => sleepers(live).length === 0 && live.groups().length === 0), `${signal}: ${sleepers(live)}`);
    await started.ended;
  }
}

/** Of all that can be done with `exec`, what differs between engines: on every caller, in one sandbox each. */
export function proveExec(stage: LifeStage): void {
  testOn(stage, 'what is brought in', async (t, scene) => {
    const report = `(${confinementReport}) 2>&1 | cat >/workspace/new; mv /workspace/new /workspace/report`;
    const live = await makeOn(t, stage, scene, ['-e', 'OWN=1'], ['--', 'sh', '-c', `${report}; exec sleep 300`]);
    await t.test('sees the confinement that the program sees', (u) => showConfinement(u, stage, live));
    await t.test('is refused what the filter forbids, and any way to another user', (u) =>
      showRefusals(u, scene, live),
    );
    await t.test('has its own status, output, input, variables and folder', (u) => showStreams(u, live));
    await t.test('is waited for and ended by its id, when it is detached', (u) => showDetached(u, scene, live));
    await t.test('ends with all that it started at its timeout', (u) => showTimeout(u, live));
    await t.test('ends with all that it started when its caller dies', (u) => showCallersDeath(u, live));
    await t.test('leaves what it left in the background, which ends with the sandbox', async (u) => {
      u.match(await live.exec([], ['sh', '-c', 'sleep 305 & echo started']), { status: 0, stdout: 'started\n' });
      u.ok(await until(() => sleepers(live).length === 1), 'it was forked, and is sleep soon');
      u.strictSame(sleepers(live), ['sleep 305']);
      u.equal(await stateOf(scene, live), 'running', 'and lives on through all of this');
      const pids = live.members();
      u.equal((await scene.sandbox(['stop', '-t', '0', live.name])).status, 0);
      u.ok(pids.every((pid) => !commandOf(pid).startsWith('sleep')));
    });
  });
  testOn(stage, "the sandbox's limits hold for what is brought in", async (t, scene) => {
    const live = await makeOn(t, stage, scene, ['--memory', '128m']);
    const hog = await live.exec([], ['tail', '/dev/zero']);
    t.match(hog, { status: 137 }, hog.stderr);
    t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
  });
}
