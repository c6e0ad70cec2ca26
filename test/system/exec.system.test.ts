// Owns the proof of `sandbox exec`: the same protections as the sandbox's own program, its statuses, and what becomes of its processes.
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { confinementReport } from './confinement.ts';
import { commandOf, type Live, makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, testAsBoth, until } from './scene.ts';

declareNeeds('crun', 'shellcheck', 'base-tools');

/** As of a sandbox that was started by an older build: the next execution makes it anew, by Node. */
function dropEntrance({ runFolder }: Live): void {
  rmSync(join(runFolder, 'entrance'));
}

testAsBoth('the first execution after a start goes the short way', async (t, scene) => {
  const live = await makeLive(t, scene);
  const started = live.startExec([], ['sleep', '300']);
  t.ok(await until(() => /^sleep 300$/m.test(live.members().map(commandOf).join('\n'))));
  t.match(commandOf(started.pid), /supervise --id x/);
  started.child.kill('SIGTERM');
  t.equal((await started.ended).status, 143);
});

testAsBoth('an executed process is confined as the sandbox’s own program is', async (t, scene) => {
  const command = [
    'sh',
    '-c',
    `(${confinementReport}) 2>&1 | cat >/workspace/new; mv /workspace/new /workspace/report; exec sleep 300`,
  ];
  const live = await makeLive(t, scene, [], command);
  for (const way of ['Node', 'short']) {
    if (way === 'Node') dropEntrance(live);
    const own = await live.exec(
      [],
      ['sh', '-c', 'until [ -s /workspace/report ]; do sleep 0.05; done; cat /workspace/report'],
    );
    const entered = await live.exec([], ['sh', '-c', confinementReport]);
    t.equal(entered.status, 0, entered.stderr);
    t.equal(entered.stdout, own.stdout, way);
    t.match(entered.stdout, /^NoNewPrivs:\t1$/m);
    t.match(entered.stdout, /^Seccomp:\t2$/m);
    t.match(entered.stdout, /^Seccomp_filters:\t1$/m);
    t.equal(entered.stdout.match(/^Cap(Inh|Prm|Eff|Bnd|Amb):\t0{16}$/gm)?.length, 5);
  }
});

testAsBoth('what the filter forbids to the program is forbidden to an execution', async (t, scene) => {
  const live = await makeLive(t, scene);
  const denied = await live.exec([], ['unshare', '-U', 'true']);
  t.equal(denied.status, 1);
  t.match(denied.stderr, /Operation not permitted/);
  const control = await scene.spawn('/usr/bin/unshare', ['-U', 'true']).ended;
  t.equal(control.status, 0, 'outside it is allowed');
  t.not((await live.exec([], ['sh', '-c', ': </dev/tty'])).status, 0, 'no controlling terminal');
});

testAsBoth('status, output and input pass through, and arguments as they are', async (t, scene) => {
  const live = await makeLive(t, scene);
  for (const way of ['Node', 'short']) {
    if (way === 'Node') dropEntrance(live);
    const both = await live.exec(['-i'], ['sh', '-c', 'cat; echo err >&2; exit 7'], { input: Buffer.from('in') });
    t.match(both, { status: 7, stdout: 'in', stderr: 'err\n' }, way);
    t.equal((await live.exec([], ['wc', '-c'])).stdout, '0\n', 'stdin is empty unless asked for');
    t.equal((await live.exec([], ['no-such-program'])).status, 127);
    t.equal((await live.exec([], ['/etc/passwd'])).status, 126);
    t.equal((await live.exec([], ['sh', '-c', 'kill -TERM $$'])).status, 143);
    const words = ['a b', '', '"quoted"', "it's", 'new\nline', '\\n', '$HOME', 'é', '&'];
    const echoed = await live.exec([], ['printf', '<%s>', ...words]);
    t.equal(echoed.stdout, words.map((word) => `<${word}>`).join(''));
  }
  t.strictSame(live.entries(), []);
  t.strictSame(live.groups(), []);
});

testAsBoth('environment, folder and user are those asked for, within the rules', async (t, scene) => {
  const live = await makeLive(t, scene, ['-e', 'OWN=1']);
  const asked = await live.exec(
    ['-e', 'A=b c', '-e', 'OWN=2', '-w', '/tmp', '-u', '65532:65532'],
    ['sh', '-c', 'pwd; echo "$A $OWN"'],
  );
  t.match(asked, { status: 0, stdout: '/tmp\nb c 2\n' }, asked.stderr);
  const refusals: [string[], number, RegExp][] = [
    [['-u', '0'], 2, /has one user, 65532:65532/],
    [['-u', '1000:65532'], 2, /has one user/],
    [['-w', 'tmp'], 2, /not an absolute path/],
    [['-e', 'SANDBOX_RUN_ID=x'], 2, /is set by us alone/],
    [['-e', 'AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY'], 2, /AWS_SECRET_ACCESS_KEY/],
    [['-t'], 2, /there is none\n {2}leave -t out/],
    [['-d', '-i'], 2, /neither input nor a terminal/],
    [['--timout', '3s'], 2, /did you mean "--timeout"/],
  ];
  for (const [options, status, text] of refusals) {
    const refused = await live.exec(options, ['true']);
    t.equal(refused.status, status, options.join(' '));
    t.match(refused.stderr, text);
  }
  const nowhere = await live.exec(['-w', '/no/such'], ['true']);
  t.equal(nowhere.status, 125);
  t.match(nowhere.stderr, /sandbox: cannot enter the sandbox: .*No such file/);
});

testAsBoth('refuses to enter a sandbox that is unknown, not started, paused or ended', async (t, scene) => {
  const unknown = await scene.sandbox(['exec', 'no-such-sandbox', 'true']);
  t.match(unknown, { status: 125, stderr: /no sandbox is called "no-such-sandbox"/ });
  const live = await makeLive(t, scene);
  t.equal((await scene.call(['stop', '-t', '0', live.name])).status, 0);
  t.match(await live.exec([], ['true']), { status: 125, stderr: /does not run: it is exited\n {2}sandbox start / });
  t.equal((await scene.call(['start', live.name])).status, 0);
  t.match(await live.exec([], ['echo', 'again']), { status: 0, stdout: 'again\n' });
  t.equal((await scene.call(['pause', live.name])).status, 0);
  t.match(await live.exec([], ['true']), { status: 125, stderr: /it is paused\n {2}sandbox unpause / });
  t.equal((await scene.call(['unpause', live.name])).status, 0);
  t.match(await live.exec([], ['echo', 'awake']), { status: 0, stdout: 'awake\n' });
});

const family = 'setsid sleep 301 & (setsid sleep 302 &); sleep 303; sleep 304';
/** Deaf to TERM, so it takes its grace. */
const stubborn = `trap "" TERM; ${family}`;

function sleepers(live: Live): string[] {
  return live
    .members()
    .map(commandOf)
    .filter((command) => /^sleep 30[1-9]$/.test(command))
    .sort();
}

testAsBoth('a timeout ends all that the execution started, and the sandbox lives', async (t, scene) => {
  const live = await makeLive(t, scene);
  for (const way of ['Node', 'short']) {
    if (way === 'Node') dropEntrance(live);
    const ended = await live.exec(['--timeout', '1s'], ['sh', '-c', way === 'Node' ? family : stubborn]);
    t.equal(ended.status, 124, `${way} ${ended.stderr}`);
    t.strictSame(sleepers(live), []);
    t.strictSame(live.entries(), []);
    t.strictSame(live.groups(), []);
    t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
  }
});

/** As the caller sees it: the short way becomes the supervisor, the other one has Node above it. */
const ways: Readonly<Record<string, readonly string[]>> = { short: [], Node: ['-e', 'WAY=node'] };

for (const [name, way] of Object.entries(ways)) {
  testAsBoth(
    `the caller's death, or a signal to it, ends all that the execution started (${name})`,
    async (t, scene) => {
      const live = await makeLive(t, scene);
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGHUP'] as const) {
        const script = signal === 'SIGTERM' && name === 'Node' ? stubborn : family;
        const started = live.startExec(way, ['sh', '-c', script]);
        t.ok(await until(() => sleepers(live).length === 3), 'all three run');
        t.match(
          commandOf(started.pid),
          name === 'short' ? /supervise --id x/ : /sandbox\.cjs exec/,
          'it goes that way',
        );
        started.child.kill(signal);
        t.ok(
          await until(() => sleepers(live).length === 0 && live.groups().length === 0),
          `${signal}: ${sleepers(live)}`,
        );
        await started.ended;
        t.ok(await until(() => live.entries().length === 0));
        t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
      }
    },
  );
}

testAsBoth(
  'what a command leaves running goes on, does not hold its caller, and ends with the sandbox',
  async (t, scene) => {
    const live = await makeLive(t, scene);
    const started = Date.now();
    const ended = await live.exec([], ['sh', '-c', 'sleep 305 & echo started']);
    t.match(ended, { status: 0, stdout: 'started\n' }, 'it holds our pipe, and we do not wait for it');
    t.ok(Date.now() - started < 240_000);
    t.ok(await until(() => sleepers(live).length === 1), 'it was forked, and is sleep soon');
    t.strictSame(sleepers(live), ['sleep 305']);
    t.strictSame(live.entries(), [], 'no execution goes on');
    t.equal(live.groups().length, 1, 'its group stays with it');
    t.equal((await live.exec([], ['pkill', '-f', '^sleep 305'])).status, 0);
    t.ok(await until(() => sleepers(live).length === 0));
    t.equal((await live.exec([], ['true'])).status, 0);
    t.strictSame(live.groups(), [], 'the next execution takes the empty group away');
    await live.exec([], ['sh', '-c', 'sleep 306 >/dev/null 2>&1 &']);
    const pids = live.members();
    t.equal((await scene.call(['stop', '-t', '0', live.name])).status, 0);
    t.ok(pids.every((pid) => !existsSync(`/proc/${pid}`) || !commandOf(pid).startsWith('sleep')));
  },
);

testAsBoth('the sandbox’s memory limit holds for executions', async (t, scene) => {
  const live = await makeLive(t, scene, ['--memory', '64m']);
  t.match(await live.exec([], ['sh', '-c', 'head -c 16m /dev/zero | tail -c 1 | wc -c']), { status: 0, stdout: '1\n' });
  const hog = await live.exec([], ['tail', '/dev/zero']);
  t.match(hog, { status: 137 }, hog.stderr);
  t.strictSame(live.entries(), []);
});

testAsBoth('refuses to enter a sandbox that has no process to spare, and does not hang', async (t, scene) => {
  const live = await makeLive(t, scene, ['--pids', '24']);
  // bash, because it waits for room and tries again, where dash ends and makes room.
  const filling = live.startExec([], ['bash', '-c', 'while :; do sleep 300 & done 2>/dev/null']);
  t.ok(await until(() => live.members().length >= 24), `${live.members().length} processes`);
  const refused = await live.exec([], ['true']);
  t.equal(refused.status, 125);
  t.match(refused.stderr, /sandbox: .*(Resource temporarily unavailable|cannot (start|enter))/);
  t.match(refused.stderr, /no process to spare|cannot start/);
  filling.child.kill('SIGTERM');
  await filling.ended;
  t.match(await live.exec([], ['echo', 'room']), { status: 0, stdout: 'room\n' });
});

testAsBoth('a detached execution has an id by which it is listed, waited for and ended', async (t, scene) => {
  const live = await makeLive(t, scene);
  const detach = async (script: string) => (await live.exec(['-d'], ['sh', '-c', script])).stdout.trim();
  for (const way of ['Node', 'short']) {
    if (way === 'Node') dropEntrance(live);
    const id = await detach('exit 5');
    t.match(id, /^x[0-9a-f]{16}$/, way);
    t.match(await scene.call(['wait', id]), { status: 0, stdout: '5\n' });
    const long = await detach(family);
    t.ok(await until(() => sleepers(live).length === 3));
    t.match((await scene.call(['ps', '--execs'])).stdout, new RegExp(`${long} .*${live.name}`));
    t.equal((await scene.call(['kill', long])).status, 0);
    t.match(await scene.call(['wait', long]), { status: 0, stdout: '143\n' });
    t.strictSame(sleepers(live), []);
    t.match(await scene.call(['wait', 'x0000000000000000']), { status: 125 });
  }
});

testAsBoth('executions end with a sandbox whose supervisor is killed, and gc frees the rest', async (t, scene) => {
  const live = await makeLive(t, scene);
  await live.exec([], ['sh', '-c', 'sleep 307 >/dev/null 2>&1 &']);
  const started = live.startExec([], ['sh', '-c', family]);
  t.ok(await until(() => sleepers(live).length === 4));
  const pids = live.members();
  const [, , supervisor = ''] = readFileSync(join(scene.paths.run, 'records', live.run), 'utf8').split(' ');
  process.kill(Number(supervisor), 'SIGKILL');
  t.ok(await until(() => pids.every((pid) => !commandOf(pid).startsWith('sleep'))), 'all are dead');
  t.not((await started.ended).status, 0);
  t.match(await live.exec([], ['true']), { status: 125, stderr: /does not run: it is lost\n {2}free what it left/ });
  t.equal((await scene.call(['gc'])).status, 0);
  t.strictSame(scene.traces(live.run), []);
});

testAsBoth('the entrance is a script that shellcheck accepts, and its caller alone can read', async (t, scene) => {
  const live = await makeLive(t, scene, ['-e', "QUOTED=it's $HOME `id` %s \\"]);
  const file = `${live.runFolder}/entrance`;
  const checked = await scene.spawn('/usr/bin/shellcheck', ['-S', 'warning', '-s', 'sh', file]).ended;
  t.equal(checked.status, 0, checked.stdout);
  t.match(statSync(file), { uid: scene.uid, mode: 0o100600 });
  t.match(
    readFileSync(file, 'utf8'),
    '[ ! -e /.cofferdam/init ] || fail',
    'what crun may execute outside is not there',
  );
  t.equal((await live.exec([], ['sh', '-c', 'printf %s "$QUOTED"'])).stdout, "it's $HOME `id` %s \\");
});

async function execMany(live: Live, count: number): Promise<void> {
  const ended = await Promise.all(
    Array.from({ length: count }, (_, at) =>
      live.exec(['-i'], ['sh', '-c', `cat; echo ${at}`], { input: Buffer.from(`${at} `) }),
    ),
  );
  for (const [at, { stdout, stderr }] of ended.entries())
    if (stdout !== `${at} ${at}\n` || stderr !== '') throw new Error(`${at}: ${stdout} ${stderr}`);
}

testAsBoth(
  'many executions at once, also first ones, meet neither each other nor leave anything',
  async (t, scene: Scene) => {
    const live = await makeLive(t, scene);
    dropEntrance(live);
    await execMany(live, 4);
    await execMany(live, 12);
    t.strictSame(live.entries(), []);
    t.strictSame(live.groups(), []);
  },
);
