// Owns the proof of terminals: a guest gets a pty of the sandbox, never the caller's, and the caller's is as it was at every end.
import { constants } from 'node:os';
import { type Live, makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, testAsBoth, testAsUser } from './scene.ts';
import { type Step, typed } from './typing.ts';

declareNeeds('crun', 'python3', 'base-tools');

function typeInto(scene: Scene, live: Live, options: readonly string[], script: string, steps: readonly Step[]) {
  return typed(scene, ['exec', ...options, live.name, '--', 'sh', '-c', script], steps);
}

/** The short way, and the one with Node above it. */
const ways: Readonly<Record<string, readonly string[]>> = { short: ['-it'], Node: ['-it', '-e', 'WAY=node'] };

// What is root's own about a terminal shows on the short way.
for (const [name, way] of Object.entries(ways)) {
  const testAs = name === 'short' ? testAsBoth : testAsUser;
  testAs(`a terminal has size, input, Ctrl-C, resizing and the exit status (${name})`, async (t, scene) => {
    const live = await makeLive(t, scene);
    const script = `
tty; stty size; echo "TERM $TERM"; test -t 0 && test -t 1 && test -t 2 && echo all; : </dev/tty && echo controlling
trap 'echo interrupted' INT; trap 'stty size' WINCH
echo ready1; until read line; do :; done; echo "got <$line>"
echo ready2; while :; do sleep 0.1; read -t 0 2>/dev/null; [ "$(stty size)" = '44 88' ] && break; done
(trap - INT; echo ready3; exec sleep 300); echo "after $?"
exit 9`;
    const seen = await typeInto(scene, live, way, script, [
      { see: 'ready1', type: 'hello\r' },
      { see: 'ready2', size: [44, 88] },
      { see: 'ready3', type: '\u0003' },
    ]);
    t.match(seen.seen, /^\/dev\/pts\/[0-9]+\r\n33 77\r\nTERM xterm\r\nall\r\ncontrolling\r\n/);
    t.match(seen.seen, /got <hello>\r\n/);
    t.match(seen.seen, /44 88\r\n/);
    t.match(seen.seen, /after 130\r\n/);
    t.match(seen, { status: 9, same: true, left: 0 });
  });

  testAs(`the caller's terminal is as it was after any end (${name})`, async (t, scene) => {
    const live = await makeLive(t, scene);
    const { SIGTERM, SIGKILL, SIGHUP } = constants.signals;
    for (const signal of [SIGTERM, SIGHUP, SIGKILL]) {
      const seen = await typeInto(scene, live, way, 'echo ready; sleep 300', [{ see: 'ready', signal }]);
      t.match(seen, { same: true, left: 0 }, `${signal}`);
    }
    const late = await typeInto(scene, live, [...way, '--timeout', '3s'], 'echo ready; sleep 300', []);
    t.match(late, { same: true, status: 124 });
    t.match(await live.exec([], ['pgrep', 'sleep']), { stdout: /^[0-9]+\n$/ }, 'only the sandbox’s own program');
  });
}

testAsBoth('the guest’s terminal is not the caller’s: what it does to it stays inside', async (t, scene) => {
  const live = await makeLive(t, scene);
  // The sandbox's devpts has this one terminal, and no process of it has another.
  const script = 'stty -echo raw; ls /dev/pts | tr "\\n" " "; readlink /proc/self/fd/[012] | sort -u | tr "\\n" " "';
  const seen = await typeInto(scene, live, ['-it'], script, []);
  t.match(seen, { status: 0, same: true, seen: '0 ptmx /dev/pts/0 ' });
});

testAsBoth('without -i a terminal is for output, and Ctrl-C ends the execution', async (t, scene) => {
  const live = await makeLive(t, scene);
  const seen = await typeInto(scene, live, ['-t'], 'test -t 1 && echo terminal; echo ready; sleep 300', [
    { see: 'ready', type: '\u0003' },
  ]);
  t.match(seen, { status: 130, same: true, left: 0 });
  t.match(seen.seen, /terminal\r\n/);
  t.strictSame(live.entries(), []);
});

testAsBoth('a program that floods the terminal after its end holds nobody', async (t, scene) => {
  const live = await makeLive(t, scene);
  const seen = await typeInto(scene, live, ['-it'], '(trap "" HUP; yes >/dev/tty) & sleep 0.5; exit 4', []);
  t.match(seen, { status: 4, same: true });
  t.equal((await live.exec([], ['sh', '-c', 'pkill yes; :'])).status, 0);
});

testAsUser('twenty terminals one after the other say nothing of their own', async (t, scene) => {
  const live = await makeLive(t, scene);
  for (let at = 0; at < 20; at++) {
    const seen = await typeInto(scene, live, ['-it'], 'stty size', []);
    t.match(seen, { seen: '33 77\r\n', status: 0, same: true });
  }
});
