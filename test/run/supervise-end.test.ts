// Owns how a supervised program ends: its status, deadlines, signals, and the death of supervisor and caller.
import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { fields, setScene, until } from './supervise-scene.ts';

const record = '--record "$PWD/record" --record-head h';
const stubborn = `trap "" TERM INT HUP; echo $$ >pid; while :; do sleep 0.05; done`;

function isAlive(pid: string | undefined): boolean {
  try {
    // A zombie is dead; field 3 of proc(5) stat.
    return !readFileSync(`/proc/${Number(pid)}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

test('every exit status passes through, also 124 and 125', async (t) => {
  const scene = await setScene(t);
  for (const status of [0, 1, 2, 124, 125, 126, 127, 128, 255]) {
    const { exitCode, stderr } = await scene.play(`./run ${record} -- /bin/sh -c 'exit ${status}'`);
    t.equal(exitCode, status);
    t.equal(stderr, '');
    t.strictSame(fields(scene.read('record')?.trimEnd().split('\n').at(-1)).slice(3, 5), [`${status}`, 'exited']);
  }
});

test('a signal that ends the program is 128+n', async (t) => {
  const scene = await setScene(t);
  for (const signal of [1, 6, 9, 11, 15]) {
    const { exitCode } = await scene.play(`./run ${record} -- /bin/sh -c 'kill -${signal} $$'`);
    t.equal(exitCode, 128 + signal);
    t.equal(fields(scene.read('record')?.trimEnd().split('\n').at(-1))[4], 'signal');
  }
});

test('the deadline ends the program with 124, whatever it answers to TERM', async (t) => {
  const scene = await setScene(t);
  const answers = {
    'dies of it': 'exec sleep 60',
    'exits 0': 'trap "exit 0" TERM; while :; do sleep 0.05; done',
    'ignores it': stubborn,
  };
  for (const [answer, program] of Object.entries(answers)) {
    const { exitCode, stderr } = await scene.play(`./run ${record} -- /bin/sh -c '${program}'`, { timeout: 300 });
    t.equal(exitCode, 124, answer);
    t.equal(stderr, '', 'stderr belongs to the program');
    t.strictSame(fields(scene.read('record')?.trimEnd().split('\n').at(-1)).slice(3, 5), ['124', 'timeout']);
  }
  t.notOk(isAlive(scene.read('pid')));
});

test("what is left of the program's process group ends with it, also without control groups", async (t) => {
  const scene = await setScene(t);
  for (const last of ['exit 3', 'exec sleep 60']) {
    await scene.play(`./run -- /bin/sh -c 'trap "" TERM; sleep 60 & echo $! >pid; ${last}'`, { timeout: 300 });
    // A killed process may take a moment; only groups are waited for.
    t.ok(await until(() => !isAlive(scene.read('pid'))), last);
  }
});

test('a grace of 0 kills at the deadline', async (t) => {
  const scene = await setScene(t);
  const { exitCode } = await scene.play(`./run -- /bin/sh -c '${stubborn}'`, { timeout: 300, grace: 0 });
  t.equal(exitCode, 124);
});

test('output written while stopping still arrives', async (t) => {
  const scene = await setScene(t);
  const program = 'trap "echo last; exit 0" TERM; while :; do sleep 0.05; done';
  const { exitCode, stdout } = await scene.play(`./run -- /bin/sh -c '${program}'`, { timeout: 300, grace: 5000 });
  t.equal(exitCode, 124);
  t.equal(stdout, 'last\n');
});

test('a caller that never reads does not hold the deadline', async (t) => {
  const scene = await setScene(t);
  await scene.play(
    `{ ./run ${record} -- /usr/bin/yes; echo $? >status; } |
     { i=0; until [ -s status ] || [ $i = 200 ]; do sleep 0.1; i=$((i + 1)); done; }`,
    { timeout: 300 },
  );
  t.equal(scene.read('status'), '124\n');
  t.equal(fields(scene.read('record')).at(-1), 'o', 'what it never took is marked');
});

test('a caller that stops reading after the program has ended does not hold the deadline either', async (t) => {
  const scene = await setScene(t);
  await scene.play(
    `{ ./run ${record} -- /bin/sh -c 'head -c 100000 /dev/zero'; echo $? >status; } |
     { i=0; until [ -s status ] || [ $i = 200 ]; do sleep 0.1; i=$((i + 1)); done; }`,
    { timeout: 500 },
  );
  t.equal(scene.read('status'), '124\n');
  t.equal(fields(scene.read('record')).at(-1), 'o');
});

test('silence ends the program with 124 idle; output keeps it alive', async (t) => {
  const scene = await setScene(t);
  const program = 'for i in 1 2 3 4 5 6 7 8; do sleep 0.2; echo $i >&$((1 + i % 2)); done; exec sleep 60';
  const { exitCode, stdout, stderr } = await scene.play(`./run ${record} -- /bin/sh -c '${program}'`, { idle: 4000 });
  t.equal(exitCode, 124);
  t.equal(stdout, '2\n4\n6\n8\n');
  t.equal(stderr, '1\n3\n5\n7\n');
  t.strictSame(fields(scene.read('record')).slice(3, 5), ['124', 'idle']);
});

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const) {
  test(`${signal} cancels the run with ${status}`, async (t) => {
    const scene = await setScene(t);
    const run = scene.start(
      ['--record', `${scene.directory}/record`, '--record-head', 'h', '--', '/bin/sh', '-c', 'echo $$; exec sleep 60'],
      { grace: 5000 },
    );
    t.ok(await until(() => run.output().endsWith('\n')));
    run.kill(signal);
    t.equal((await run.ended).exitCode, status);
    t.notOk(isAlive(run.output()));
    t.strictSame(fields(scene.read('record')).slice(3, 5), [`${status}`, 'cancelled']);
  });
}

test('a second signal kills at once; one that a terminal and a wrapper both send counts once', async (t) => {
  const scene = await setScene(t);
  const program = 'trap "echo asked" TERM; echo ready; while :; do sleep 0.05; done';
  const run = scene.start(['--', '/bin/sh', '-c', program], { grace: 3_600_000 });
  t.ok(await until(() => run.output() === 'ready\n'));
  run.kill('SIGINT');
  run.kill('SIGTERM');
  t.ok(await until(() => run.output() === 'ready\nasked\n'), 'the program is still there to answer');
  await new Promise((done) => setTimeout(done, 200));
  run.kill('SIGINT');
  t.ok([130, 143].includes((await run.ended).exitCode ?? 0));
});

test('a signal that the caller ignores stays ignored, but TERM never is', async (t) => {
  const scene = await setScene(t);
  const { stdout } = await scene.play(`
    trap '' HUP INT TERM
    ./run -- /bin/sh -c 'echo $$ >pid; while :; do sleep 0.05; done' & supervisor=$!
    until [ -s pid ]; do sleep 0.01; done
    kill -HUP $supervisor; kill -INT $supervisor; sleep 0.2
    kill -0 "$(cat pid)" && echo alive
    kill -TERM $supervisor; wait $supervisor; echo $?`);
  t.equal(stdout, 'alive\n143\n');
});

test('Ctrl-Z and a background terminal do not stop the clock', async (t) => {
  const scene = await setScene(t);
  const run = scene.start(['--', '/bin/sh', '-c', 'echo ready; exec sleep 60'], { timeout: 600 });
  t.ok(await until(() => run.output() === 'ready\n'));
  run.kill('SIGTSTP');
  run.kill('SIGTTIN');
  run.kill('SIGTTOU');
  t.equal((await run.ended).exitCode, 124);
});

test('SIGKILL of the supervisor takes the program along', async (t) => {
  const scene = await setScene(t);
  const run = scene.start(['--', '/bin/sh', '-c', 'trap "" TERM HUP; echo $$; exec sleep 60']);
  t.ok(await until(() => run.output().endsWith('\n')));
  t.ok(isAlive(run.output()), 'control: it was alive');
  run.kill('SIGKILL');
  t.equal((await run.ended).signal, 'SIGKILL');
  t.ok(await until(() => !isAlive(run.output())));
});

test('the death of the watched parent cancels the run', async (t) => {
  const scene = await setScene(t);
  await scene.play(`
    /bin/sh -c './run ${record} --parent $$ -- /bin/sh -c "echo \\$\\$ >pid; exec sleep 60" & until [ -s pid ]; do sleep 0.01; done'`);
  t.ok(await until(() => fields(scene.read('record'))[4] === 'cancelled'));
  t.equal(fields(scene.read('record'))[3], '143');
  t.notOk(isAlive(scene.read('pid')));
});

test('a parent that is gone already starts nothing', async (t) => {
  const scene = await setScene(t);
  const { exitCode } = await scene.play(`./run ${record} --parent 1 -- /bin/touch started`);
  t.equal(exitCode, 143);
  t.equal(scene.read('started'), undefined);
  t.strictSame(fields(scene.read('record')).slice(3, 5), ['143', 'cancelled']);
});
