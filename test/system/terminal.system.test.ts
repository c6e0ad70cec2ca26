// Owns the proof of terminals: a guest gets a pty of the sandbox, never the caller's, and the caller's is as it was at every end.
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Live, makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { install, type Scene, sandboxFile, testAsBoth } from './scene.ts';

declareNeeds('crun', 'python3', 'base-tools');

interface Step {
  readonly see: string;
  readonly type?: string;
  readonly size?: readonly [number, number];
  readonly signal?: number;
}

interface Typed {
  readonly seen: string;
  readonly status: number | null;
  /** Whether the caller's terminal has the mode that it had. */
  readonly same: boolean;
  /** Steps that were not reached. */
  readonly left: number;
}

async function typeInto(
  scene: Scene,
  live: Live,
  options: readonly string[],
  script: string,
  steps: readonly Step[],
): Promise<Typed> {
  const words = [sandboxFile, 'exec', ...options, live.name, '--', 'sh', '-c', script];
  const typist = join(install, 'test/system/typist.py');
  const { stdout, stderr } = await scene.spawn('/usr/bin/python3', [typist, JSON.stringify(steps), ...words]).ended;
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Typed;
}

/** The short way, and the one with Node above it. */
const ways: Readonly<Record<string, readonly string[]>> = { short: ['-it'], Node: ['-it', '-e', 'WAY=node'] };

for (const [name, way] of Object.entries(ways)) {
  testAsBoth(`a terminal has size, input, Ctrl-C, resizing and the exit status (${name})`, async (t, scene) => {
    const live = await makeLive(t, scene);
    await live.exec([], ['true']);
    const script = `
n=0; while [ "$(stty size)" = '0 0' ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
tty; stty size; echo "TERM $TERM"; test -t 0 && test -t 1 && test -t 2 && echo all; : </dev/tty && echo controlling
trap 'echo interrupted' INT; trap 'stty size' WINCH
echo ready1; read line; echo "got <$line>"
echo ready2; while :; do sleep 0.1; read -t 0 2>/dev/null; [ "$(stty size)" = '44 88' ] && break; done
(trap - INT; echo ready3; exec sleep 300); echo "after $?"
exit 9`;
    const typed = await typeInto(scene, live, way, script, [
      { see: 'ready1', type: 'hello\r' },
      { see: 'ready2', size: [44, 88] },
      { see: 'ready3', type: '\u0003' },
    ]);
    t.match(typed.seen, /^\/dev\/pts\/[0-9]+\r\n33 77\r\nTERM xterm\r\nall\r\ncontrolling\r\n/);
    t.match(typed.seen, /got <hello>\r\n/);
    t.match(typed.seen, /44 88\r\n/);
    t.match(typed.seen, /after 130\r\n/);
    t.match(typed, { status: 9, same: true, left: 0 });
  });

  testAsBoth(`the caller's terminal is as it was after any end (${name})`, async (t, scene) => {
    const live = await makeLive(t, scene);
    await live.exec([], ['true']);
    const { SIGTERM, SIGKILL, SIGHUP } = constants.signals;
    for (const signal of [SIGTERM, SIGHUP, SIGKILL]) {
      const typed = await typeInto(scene, live, way, 'echo ready; sleep 300', [{ see: 'ready', signal }]);
      t.match(typed, { same: true, left: 0 }, `${signal}`);
    }
    const late = await typeInto(scene, live, [...way, '--timeout', '1s'], 'echo ready; sleep 300', []);
    t.match(late, { same: true, status: 124 });
    t.match(await live.exec([], ['pgrep', 'sleep']), { stdout: /^[0-9]+\n$/ }, 'only the sandbox’s own program');
  });
}

testAsBoth('the guest’s terminal is not the caller’s: what it does to it stays inside', async (t, scene) => {
  const live = await makeLive(t, scene);
  await live.exec([], ['true']);
  // The sandbox's devpts has this one terminal, and no process of it has another.
  const script = 'stty -echo raw; ls /dev/pts | tr "\\n" " "; readlink /proc/self/fd/[012] | sort -u | tr "\\n" " "';
  const typed = await typeInto(scene, live, ['-it'], script, []);
  t.match(typed, { status: 0, same: true, seen: '0 ptmx /dev/pts/0 ' });
});

testAsBoth('without -i a terminal is for output, and Ctrl-C ends the execution', async (t, scene) => {
  const live = await makeLive(t, scene);
  await live.exec([], ['true']);
  const typed = await typeInto(scene, live, ['-t'], 'test -t 1 && echo terminal; echo ready; sleep 300', [
    { see: 'ready', type: '\u0003' },
  ]);
  t.match(typed, { status: 130, same: true, left: 0 });
  t.match(typed.seen, /terminal\r\n/);
  t.strictSame(live.entries(), []);
});

testAsBoth('a program that floods the terminal after its end holds nobody', async (t, scene) => {
  const live = await makeLive(t, scene);
  await live.exec([], ['true']);
  const typed = await typeInto(scene, live, ['-it'], '(trap "" HUP; yes >/dev/tty) & sleep 0.5; exit 4', []);
  t.match(typed, { status: 4, same: true });
  t.equal((await live.exec([], ['sh', '-c', 'pkill yes; :'])).status, 0);
});

testAsBoth('twenty terminals one after the other say nothing of their own', async (t, scene) => {
  const live = await makeLive(t, scene);
  await live.exec([], ['true']);
  for (let at = 0; at < 20; at++) {
    const typed = await typeInto(scene, live, ['-it'], 'stty size', []);
    t.match(typed, { seen: '33 77\r\n', status: 0, same: true });
  }
});
