// Owns the proof of terminals on an engine: of a run, of what is brought in, and of a sandbox that lives on.
import { constants } from 'node:os';
import type { Test } from 'tap';
import { newName } from '../system/lifeScene.ts';
import type { Live } from '../system/live.ts';
import { newId, type Scene } from '../system/scene.ts';
import { type Step, type Typed, typed } from '../system/typing.ts';
import { type LifeStage, makeOn, stateOf, testOn } from './lifeStage.ts';

const ctrlC = '\u0003';

/** What a program does with a terminal: it has its size at once, reads, is resized, interrupted, and ends with 9. */
const manners = (named: string) => `
${named}; stty size; echo "TERM $TERM"; test -t 0 && test -t 1 && test -t 2 && echo all
trap 'echo interrupted' INT; trap 'echo resized' WINCH
echo ready1; until read line; do :; done; echo "got <$line>"
echo ready2; until [ "$(stty size)" = '44 88' ]; do sleep 0.1; done; stty size
(trap - INT; echo ready3; exec sleep 300); echo "after $?"
exit 9`;

const person: readonly Step[] = [
  { see: 'ready1', type: 'hello\r' },
  { see: 'ready2', size: [44, 88] },
  { see: 'ready3', type: ctrlC },
];

/** The terminal has a name inside, and is that of the session. */
const named = 'tty; : </dev/tty && echo controlling';

function checkManners(t: Test, ended: Typed): void {
  t.match(ended.seen, /33 77\r\nTERM xterm\r\nall\r\nready1\r\n/);
  for (const line of ['got <hello>', 'resized', '44 88', 'interrupted', 'after 130'])
    t.ok(ended.seen.split('\r\n').includes(line) || ended.seen.includes(`^C${line}`), `${line}: ${ended.seen}`);
  t.match(ended, { status: 9, same: true, left: 0 });
}

function runOn({ engine }: LifeStage, scene: Scene, id: string, options: readonly string[], steps: readonly Step[]) {
  return (script: string) =>
    typed(
      scene,
      ['run', '-p', 'base-tools', '--engine', engine, '--id', id, ...options, '--', 'sh', '-c', script],
      steps,
    );
}

function proveRuns(stage: LifeStage): void {
  testOn(stage, 'a run has a terminal: size, input, Ctrl-C, resizing, exit status', async (t, scene) => {
    const id = newId();
    checkManners(t, await runOn(stage, scene, id, ['-it'], person)(manners(named)));
    t.strictSame(await stage.listLeft(scene, id), []);
  });

  testOn(
    stage,
    "the caller's terminal is as it was after any end of a run, and the guest has ended",
    async (t, scene) => {
      const { SIGTERM, SIGKILL } = constants.signals;
      for (const signal of [SIGTERM, SIGKILL]) {
        const id = newId();
        const ended = await runOn(
          stage,
          scene,
          id,
          ['-it'],
          [{ see: 'ready', signal }],
        )('stty raw -echo; echo ready; sleep 300');
        t.match(ended, { same: true, left: 0 }, `${signal}`);
        await scene.sandbox(['gc']);
        t.strictSame(await stage.listLeft(scene, id), [], `${signal}`);
      }
      const late = newId();
      t.match(await runOn(stage, scene, late, ['-it', '--timeout', '2s'], [])('sleep 300'), {
        same: true,
        status: 124,
      });
      t.strictSame(await stage.listLeft(scene, late), []);
    },
  );

  testOn(stage, 'without -i a terminal is for output, and Ctrl-C ends the run', async (t, scene) => {
    const id = newId();
    const steps = [{ see: 'ready', type: ctrlC }];
    const ended = await runOn(stage, scene, id, ['-t'], steps)('test -t 1 && echo terminal; echo ready; sleep 300');
    t.match(ended, { status: 130, same: true, left: 0 });
    t.match(ended.seen, /^terminal\r\nready\r\n/);
    t.strictSame(await stage.listLeft(scene, id), []);
  });

  testOn(
    stage,
    'the guest has no descriptor of a terminal but its own, and all that it writes arrives',
    async (t, scene) => {
      const script = 'readlink /proc/self/fd/[0-9] | sort -u | tr "\\n" " "; stty -opost; seq 20000; echo end';
      const ended = await runOn(stage, scene, newId(), ['-it'], [])(script);
      const numbers = Array.from({ length: 20_000 }, (_, at) => at + 1).join('\n');
      t.match(ended, { status: 0, same: true });
      t.match(ended.seen, /^\/dev\/pts\/[0-9]+ /);
      t.ok(ended.seen.endsWith(`${numbers}\nend\n`), 'the last line, too');
    },
  );
}

/** Of a command that is brought in. `introduction` is what is looked at first, and `expected` what it says. */
export async function proveExecuted(
  t: Test,
  scene: Scene,
  live: Live,
  introduction: string,
  expected: RegExp,
): Promise<void> {
  const ended = await typed(scene, ['exec', '-it', live.name, '--', 'sh', '-c', manners(introduction)], person);
  t.match(ended.seen, expected);
  checkManners(t, ended);
  const { SIGTERM, SIGKILL } = constants.signals;
  for (const signal of [SIGTERM, SIGKILL]) {
    const words = ['exec', '-it', live.name, '--', 'sh', '-c', 'echo ready; exec sleep 301'];
    t.match(await typed(scene, words, [{ see: 'ready', signal }]), { same: true, left: 0 }, `${signal}`);
  }
  const gone = 'for at in $(seq 100); do pgrep -xf "sleep 301" >/dev/null || exit 0; sleep 0.1; done; exit 1';
  t.equal((await live.exec([], ['sh', '-c', gone])).status, 0, 'what was brought in has ended');
  t.equal(await stateOf(scene, live), 'running');
}

function proveExecutions(stage: LifeStage): void {
  testOn(stage, 'exec has a terminal: size, input, Ctrl-C, resizing, exit status', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    await proveExecuted(t, scene, live, named, /^\/dev\/pts\/[0-9]+\r\ncontrolling\r\n/);
  });
}

/** Echoes each line in brackets, until `end`. */
const talking = 'tty; stty size; echo ready; while read -r x; do [ "$x" = end ] && exit 5; echo "<$x>"; done';

function proveLife(stage: LifeStage): void {
  testOn(stage, 'create -it: start -a, left by the keys, attach', async (t, scene) => {
    const name = newName();
    const words = ['create', '-it', '-p', 'base-tools', '--engine', stage.engine, '--name', name];
    const created = await scene.sandbox([...words, '--', 'sh', '-c', talking]);
    t.equal(created.status, 0, created.stderr);
    t.teardown(() => scene.sandbox(['rm', '-f', name]));
    const first = await typed(
      scene,
      ['start', '-a', name],
      [
        { see: 'ready', type: 'one\r' },
        { see: '<one>', type: '\u0010\u0011' },
      ],
    );
    t.match(first.seen, /^\/dev\/pts\/[0-9]+\r\n33 77\r\nready\r\n/);
    t.match(first, { status: 0, same: true, left: 0 });
    t.equal(await stateOf(scene, { name }), 'running');
    const second = await typed(
      scene,
      ['attach', name],
      [
        { see: '', type: 'two\r' },
        { see: '<two>', type: 'end\r' },
      ],
    );
    t.match(second, { status: 5, same: true, left: 0 });
    t.strictSame(await stage.listLeft(scene, `${created.stdout.trim()}-1`), []);
  });
}

/** Declares the tests of terminals. */
export function proveTerminals(stage: LifeStage): void {
  proveRuns(stage);
  proveExecutions(stage);
  proveLife(stage);
}
