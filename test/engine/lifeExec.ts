// Owns the proof that a command brought into a sandbox of any engine is confined as its program is, and dies when it must.
import { existsSync } from 'node:fs';
import { confinementReport } from '../system/confinement.ts';
import { commandOf, type Live } from '../system/live.ts';
import { until } from '../system/scene.ts';
import { type LifeStage, makeOn, testOn } from './lifeStage.ts';

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

function proveConfinement(stage: LifeStage): void {
  testOn(stage, 'an executed process sees the confinement that the program sees', async (t, scene) => {
    const write = `(${confinementReport}) 2>&1 | cat >/workspace/new; mv /workspace/new /workspace/report; exec sleep 300`;
    const live = await makeOn(t, stage, scene, [], ['--', 'sh', '-c', write]);
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
  });
  testOn(stage, 'refuses to an execution what the filter forbids, and any way to another user', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    const attempts = [
      'unshare -U true',
      'mount -t tmpfs x /tmp',
      'chown 0 /workspace',
      'mknod /tmp/d c 1 3',
      ': >/etc/x',
    ];
    for (const attempt of attempts) t.not((await live.exec([], ['sh', '-c', attempt])).status, 0, attempt);
    t.equal(
      (await scene.spawn('/usr/bin/unshare', ['-U', 'true']).ended).status,
      0,
      'the control: outside it is allowed',
    );
    t.match(await live.exec(['-u', '0'], ['true']), { status: 2, stderr: /has one user, 65532:65532/ });
    t.match((await live.exec([], ['sh', '-c', 'cat /proc/net/dev'])).stdout, /^ *lo:/m);
    t.not((await live.exec([], ['sh', '-c', 'ls /sys/class/net | grep -v ^lo$'])).status, 0, 'nothing but lo');
  });
  testOn(stage, "the sandbox's limits hold for executions", async (t, scene) => {
    const live = await makeOn(t, stage, scene, ['--memory', '128m']);
    const hog = await live.exec([], ['tail', '/dev/zero']);
    t.match(hog, { status: 137 }, hog.stderr);
    t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
  });
}

function proveStreams(stage: LifeStage): void {
  testOn(stage, 'status, output, input, variables and folder are those of the command', async (t, scene) => {
    const live = await makeOn(t, stage, scene, ['-e', 'OWN=1']);
    const both = await live.exec(['-i'], ['sh', '-c', 'cat; echo err >&2; exit 7'], { input: Buffer.from('in') });
    t.match(both, { status: 7, stdout: 'in', stderr: 'err\n' });
    t.equal((await live.exec([], ['wc', '-c'])).stdout, '0\n', 'stdin is empty unless asked for');
    t.equal((await live.exec([], ['no-such-program'])).status, 127);
    t.equal((await live.exec([], ['/etc/passwd'])).status, 126);
    t.equal((await live.exec([], ['sh', '-c', 'kill -TERM $$'])).status, 143);
    const words = ['a b', '', '"quoted"', "it's", 'new\nline', '$HOME', 'é', '&'];
    t.equal((await live.exec([], ['printf', '<%s>', ...words])).stdout, words.map((word) => `<${word}>`).join(''));
    const asked = await live.exec(['-e', 'A=b c', '-e', 'OWN=2', '-w', '/tmp'], ['sh', '-c', 'pwd; echo "$A $OWN"']);
    t.match(asked, { status: 0, stdout: '/tmp\nb c 2\n' }, asked.stderr);
    t.match(await live.exec(['-w', '/no/such'], ['true']), { status: 125, stderr: /No such file/ });
    t.strictSame([...live.entries(), ...live.groups()], []);
  });
  testOn(stage, 'a detached execution is listed, waited for and ended by its id', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    const detach = async (script: string) => (await live.exec(['-d'], ['sh', '-c', script])).stdout.trim();
    t.match(await scene.sandbox(['wait', await detach('exit 5')]), { status: 0, stdout: '5\n' });
    const long = await detach(family);
    t.ok(await until(() => sleepers(live).length === 3));
    t.equal((await scene.sandbox(['kill', long])).status, 0);
    t.match(await scene.sandbox(['wait', long]), { status: 0, stdout: '143\n' });
    t.strictSame(sleepers(live), []);
  });
}

function proveTree(stage: LifeStage): void {
  testOn(stage, 'a timeout ends all that the execution started, and the sandbox lives', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    const ended = await live.exec(['--timeout', '1s'], ['sh', '-c', family]);
    t.equal(ended.status, 124, ended.stderr);
    t.strictSame([...sleepers(live), ...live.entries(), ...live.groups()], []);
    t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
  });
  testOn(stage, "the caller's death ends all that the execution started, and the sandbox lives", async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const started = live.startExec([], ['sh', '-c', family]);
      t.ok(await until(() => sleepers(live).length === 3), 'all three run');
      started.child.kill(signal);
      t.ok(
        await until(() => sleepers(live).length === 0 && live.groups().length === 0),
        `${signal}: ${sleepers(live)}`,
      );
      await started.ended;
      t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
    }
  });
  testOn(stage, 'what a command leaves in the background goes on, and ends with the sandbox', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    t.match(await live.exec([], ['sh', '-c', 'sleep 305 & echo started']), { status: 0, stdout: 'started\n' });
    t.ok(await until(() => sleepers(live).length === 1), 'it was forked, and is sleep soon');
    t.strictSame(sleepers(live), ['sleep 305']);
    const pids = live.members();
    t.equal((await scene.sandbox(['stop', '-t', '0', live.name])).status, 0);
    t.ok(pids.every((pid) => !existsSync(`/proc/${pid}`) || !commandOf(pid).startsWith('sleep')));
  });
}

/** `exec` in all that can be done with it, on every caller of the stage. */
export function proveExec(stage: LifeStage): void {
  proveConfinement(stage);
  proveStreams(stage);
  proveTree(stage);
}
