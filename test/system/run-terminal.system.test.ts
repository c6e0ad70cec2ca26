// Owns the proof of `sandbox run -t`: a pty of the sandbox, never the caller's, which is as it was at every end.
import { constants } from 'node:os';
import tap from 'tap';
import { declareNeeds } from './needs.ts';
import { newId, type Scene, testAsBoth, testAsUser, until } from './scene.ts';
import { readSoft } from './traces.ts';
import { type Step, typed } from './typing.ts';

declareNeeds('crun', 'python3', 'base-tools');
tap.setTimeout(900_000);

/** The short way, after the first; and the one with Node above it. */
const ways: Readonly<Record<string, readonly string[]>> = { short: [], Node: ['-e', 'WAY=node'] };

async function typeRun(scene: Scene, options: readonly string[], script: string, steps: readonly Step[] = []) {
  const id = newId();
  const ended = await typed(
    scene,
    ['run', '-p', 'base-tools', '--id', id, ...options, '--', 'sh', '-c', script],
    steps,
  );
  return { ...ended, id };
}

/** Whether all of the run is gone; what a SIGKILL of ours left goes with the next call. */
async function isGone(scene: Scene, id: string): Promise<boolean> {
  await scene.call(['gc']);
  return until(() => scene.traces(id).length === 0);
}

// What is root's own about a terminal shows on the short way.
for (const [name, way] of Object.entries(ways)) {
  const testAs = name === 'short' ? testAsBoth : testAsUser;
  testAs(`a run has a terminal: size, input, Ctrl-C, resizing, exit status (${name})`, async (t, scene) => {
    const script = `
stty size; tty; echo "TERM $TERM"; test -t 0 && test -t 1 && test -t 2 && echo all; : </dev/tty && echo controlling
trap 'echo interrupted' INT; trap 'stty size' WINCH
echo ready1; until read line; do :; done; echo "got <$line>"
echo ready2; while :; do sleep 0.1; read -t 0 2>/dev/null; [ "$(stty size)" = '44 88' ] && break; done
(trap - INT; echo ready3; exec sleep 300); echo "after $?"
exit 9`;
    const ended = await typeRun(scene, ['-it', ...way], script, [
      { see: 'ready1', type: 'hello\r' },
      { see: 'ready2', size: [44, 88] },
      { see: 'ready3', type: '\u0003' },
    ]);
    t.match(ended.seen, /^33 77\r\n\/dev\/pts\/0\r\nTERM xterm\r\nall\r\ncontrolling\r\n/);
    t.match(ended.seen, /got <hello>\r\n/);
    t.match(ended.seen, /44 88\r\n/);
    t.match(ended.seen, /after 130\r\n/);
    t.match(ended, { status: 9, same: true, left: 0 });
    t.strictSame(scene.traces(ended.id), []);
  });

  testAs(`the caller's terminal is as it was after any end of a run (${name})`, async (t, scene) => {
    await typeRun(scene, ['-it', ...way], 'true');
    const { SIGTERM, SIGKILL, SIGHUP } = constants.signals;
    for (const signal of [SIGTERM, SIGHUP, SIGKILL]) {
      const ended = await typeRun(scene, ['-it', ...way], 'stty raw -echo; echo ready; sleep 300', [
        { see: 'ready', signal },
      ]);
      t.match(ended, { same: true, left: 0 }, `${signal}`);
      t.ok(await isGone(scene, ended.id), `${signal}`);
    }
    const late = await typeRun(scene, ['-it', '--timeout', '3s', ...way], 'echo ready; sleep 300');
    t.match(late, { same: true, status: 124 });
    const killed = await typeRun(scene, ['-it', ...way], 'kill -9 $$');
    t.match(killed, { same: true, status: 137 });
  });

  testAs(`without -i Ctrl-C ends the run, and Ctrl-Z stops nobody (${name})`, async (t, scene) => {
    await typeRun(scene, ['-t', ...way], 'true');
    const ended = await typeRun(
      scene,
      ['-t', ...way],
      'test -t 1 && echo terminal; echo ready; sleep 1; echo on; sleep 300',
      [
        { see: 'ready', type: '\u001a' },
        { see: 'on', type: '\u0003' },
      ],
    );
    t.match(ended, { status: 130, same: true, left: 0 });
    t.match(ended.seen, /^terminal\r\nready\r\n/);
    t.strictSame(scene.traces(ended.id), []);
  });
}

testAsBoth(
  'SIGKILL of the supervisor under Node gives the terminal its mode back, and ends the guest',
  async (t, scene) => {
    const id = newId();
    const ended = typed(scene, [
      'run',
      '-p',
      'base-tools',
      '--id',
      id,
      '-it',
      '-e',
      'A=b',
      '--',
      'sh',
      '-c',
      'echo up; sleep 300',
    ]);
    const record = () => readSoft(`${scene.paths.run}/records/${id}`);
    t.ok(await until(() => /supervise/.test(readSoft(`/proc/${record().split(' ')[2]}/cmdline`))));
    process.kill(Number(record().split(' ')[2]), 'SIGKILL');
    t.match(await ended, { status: 125, same: true });
    t.ok(await isGone(scene, id));
  },
);

testAsBoth('a program that Ctrl-Z stopped goes on: there is no shell that could continue it', async (t, scene) => {
  const ended = await typeRun(scene, ['-it'], 'echo ready; read line; echo "got <$line>"', [
    { see: 'ready', type: '\u001a' },
    { see: '^Z', type: 'on\r' },
  ]);
  t.match(ended, { status: 0, same: true, left: 0, seen: /got <on>/ });
});

testAsBoth('the guest has no descriptor of the caller’s terminal, and cannot type into it', async (t, scene) => {
  const ended = await typeRun(
    scene,
    ['-it'],
    'ls /dev/pts | tr "\\n" " "; readlink /proc/self/fd/[012] | sort -u | tr "\\n" " "; stty -echo raw',
  );
  t.match(ended, { status: 0, same: true, seen: '0 ptmx /dev/pts/0 ' });
});

testAsBoth('a terminal goes with artifacts and a workspace', async (t, scene) => {
  scene.write('project/file', 'content\n');
  const script = 'cat file; echo made >/artifacts/a; tty; read line; echo "got <$line>"';
  const words = ['-it', '-w', `${scene.home}/project`, '--artifacts', `${scene.home}/${newId()}`];
  const ended = await typeRun(scene, words, script, [{ see: '/dev/pts/0', type: 'x\r' }]);
  t.match(ended, { status: 0, same: true, seen: /^content\r\n\/dev\/pts\/0\r\n/ });
  t.match(ended.seen, /got <x>\r\n(.|\n)*1 artifacts in/);
});

testAsUser('twenty runs with a terminal know its size at once, and leave nothing', async (t, scene) => {
  for (let at = 0; at < 20; at++) {
    const ended = await typeRun(scene, ['-it'], 'stty size');
    t.match(ended, { seen: '33 77\r\n', status: 0, same: true });
    t.strictSame(scene.traces(ended.id), []);
  }
});

testAsUser('refuses -t without a terminal, and with --json, and starts nothing', async (t, scene) => {
  for (const words of [['-t'], ['-it'], ['-t', '-e', 'A=b'], ['-t', '--json']]) {
    const ended = await scene.sandbox(['run', '-p', 'base-tools', ...words, '--', 'echo', 'ran']);
    t.equal(ended.status, 2, words.join(' '));
    t.notMatch(ended.stdout, /ran/);
  }
  t.match(await scene.sandbox(['run', '-p', 'base-tools', '-t', '--', 'true']), { stderr: /leave -t out/ });
});
