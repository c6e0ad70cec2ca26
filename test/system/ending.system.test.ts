// Owns the proof of endings: by a person, by a signal, by the death of any process of ours; and nothing is left.
import { declareNeeds } from './needs.ts';
import { newId, type Scene, type Started, sandboxFile, testAsBoth, testAsUser, until } from './scene.ts';
import { findProcesses, membersOf, readSoft } from './traces.ts';

declareNeeds('crun', 'script', 'base-tools');

/** The short way, where bin/sandbox becomes the supervisor, and the one with Node above it. */
const ways: Readonly<Record<string, readonly string[]>> = {
  short: [],
  Node: ['--label', 'way=node'],
  'Node with --json': ['--json'],
};
const polite = 'trap "echo ended; exit 9" TERM INT HUP; echo up; while :; do sleep 0.1; done';
const stubborn = 'trap "" TERM INT HUP; echo up; while :; do sleep 0.1; done';

interface Running extends Started {
  readonly id: string;
}

async function isUp(scene: Scene, id: string): Promise<boolean> {
  return until(() => membersOf(scene.uid, id).some((pid) => readSoft(`/proc/${pid}/cmdline`).startsWith('sleep\0')));
}

/** A run that goes on until it is ended; its guest is up. */
async function start(scene: Scene, way: readonly string[], script: string): Promise<Running> {
  const id = newId();
  const started = scene.spawn(sandboxFile, ['run', '--id', id, '-p', 'base-tools', ...way, '--', 'sh', '-c', script]);
  if (!(await isUp(scene, id))) throw new Error(`the run does not start: ${started.err()}`);
  return { ...started, id };
}

// With Node above it, what differs is Node's, and no uid has a part in that.
for (const [name, way] of Object.entries(ways)) {
  const testAs = name === 'short' ? testAsBoth : testAsUser;
  testAs(`TERM, INT and HUP to bin/sandbox end the program and pass on as 128+n (${name})`, async (t, scene) => {
    for (const [signal, status] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const) {
      const running = await start(scene, way, polite);
      running.child.kill(signal);
      const ended = await running.ended;
      t.equal(ended.status, status, `${signal} ${ended.signal} ${ended.stderr}`);
      t.match(ended.stdout, /ended/, 'the program was asked first');
      if (name.endsWith('json')) t.match(JSON.parse(ended.stdout), { status: 'cancelled', exitCode: status });
      t.strictSame(scene.traces(running.id), []);
    }
  });

  testAs(`a program that ignores TERM is killed (${name})`, async (t, scene) => {
    const running = await start(scene, way, stubborn);
    running.child.kill('SIGTERM');
    const ended = await running.ended;
    t.equal(ended.status, 143, ended.stderr);
    t.strictSame(scene.traces(running.id), []);
  });

  testAs(`Ctrl-C at a terminal ends the run, and the terminal is as it was (${name})`, async (t, scene) => {
    for (const script of name === 'short' ? [polite, stubborn] : [polite]) {
      const id = newId();
      const words = [sandboxFile, 'run', '--id', id, '-p', 'base-tools', ...way, '--', 'sh', '-c', script]
        .map((word) => `'${word}'`)
        .join(' ');
      const shell = `trap : INT; stty -g >${scene.home}/tty; ${words}; echo "status $?"; stty -g | cmp - ${scene.home}/tty && echo same`;
      const started = scene.spawn('/usr/bin/script', ['-qec', shell, '/dev/null'], { input: 'open' });
      t.ok(await isUp(scene, id));
      started.child.stdin?.write('\u0003');
      const { stdout } = await started.ended;
      t.match(stdout, /status 130\r\nsame/);
      t.strictSame(scene.traces(id), []);
    }
  });
}

testAsBoth('a terminal that is closed ends the run', async (t, scene) => {
  for (const way of [[], ['--label', 'way=node']]) {
    const id = newId();
    const words = [sandboxFile, 'run', '--id', id, '-p', 'base-tools', ...way, '--', 'sleep', '300'].join(' ');
    const started = scene.spawn('/usr/bin/script', ['-qec', words, '/dev/null'], { input: 'open' });
    t.ok(await isUp(scene, id));
    process.kill(started.pid, 'SIGKILL');
    t.ok(await until(() => scene.traces(id).length === 0), scene.traces(id).join(', '));
  }
});

interface Member {
  readonly role: string;
  readonly pid: number;
}

function commandOf(pid: number): string {
  return readSoft(`/proc/${pid}/cmdline`).split('\0')[0] ?? '';
}

/** Every process of the run that is not the guest's own: what we and the runtime put between the caller and the program. */
function findOurs(scene: Scene, { id, pid }: Running): Member[] {
  const outside = [...new Set([pid, ...findProcesses(id).map((found) => found.pid)])];
  const inside = membersOf(scene.uid, id).filter(
    (member) => !outside.includes(member) && !/^(sh|sleep)$/.test(commandOf(member)),
  );
  return [...outside, ...inside].map((member, at) => ({ role: `${at} ${commandOf(member)}`, pid: member }));
}

// Of the short way, and of runs with artifacts: killed-at*.system.test.ts.
testAsBoth('SIGKILL of any process of ours ends the guest, and gc frees the rest', async (t, scene) => {
  const way = ways['Node'] ?? [];
  const first = await start(scene, way, stubborn);
  const count = findOurs(scene, first).length;
  first.child.kill('SIGKILL');
  for (let at = 0; at < count; at++) {
    const running = await start(scene, way, stubborn);
    const victim = findOurs(scene, running)[at];
    if (victim === undefined) throw new Error(`there is no process ${at}`);
    const guests = membersOf(scene.uid, running.id);
    process.kill(victim.pid, 'SIGKILL');
    const dead = await until(
      () =>
        guests.every((pid) => readSoft(`/proc/${pid}/cmdline`) === '') && membersOf(scene.uid, running.id).length === 0,
    );
    t.ok(dead, `${victim.role}: the guest is dead: ${membersOf(scene.uid, running.id).map(commandOf).join(' ')}`);
    await running.ended;
    await until(() => findProcesses(running.id).length === 0);
    t.equal((await scene.call(['gc'])).status, 0);
    t.strictSame(scene.traces(running.id), [], victim.role);
  }
  await scene.call(['gc']);
  t.strictSame(scene.traces(first.id), []);
});

testAsBoth('twenty runs at once share nothing and leave nothing', async (t, scene) => {
  const ended = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      scene.run(['-p', 'base-tools', '--', 'sh', '-c', `echo ${at} >/tmp/mine; sleep 0.5; cat /tmp/mine`]),
    ),
  );
  t.strictSame(
    ended.map(({ stdout }) => stdout.trim()),
    Array.from({ length: 20 }, (_, at) => String(at)),
  );
  t.ok(ended.every(({ status, stderr }) => status === 0 && stderr === ''));
});
