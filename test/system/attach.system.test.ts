// Owns the proof of attach: the terminal of a sandbox that lives on, left and taken up again; the caller's is as it was at every end.
import { readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import tap, { type Test, test } from 'tap';
import { attachSandbox } from '../../lib/run/life/attach.ts';
import { findSandbox, logsFolder } from '../../lib/run/life/sandbox.ts';
import { inspect, logText, type Made, make, refused } from './lifeScene.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, sandboxFile, sceneOf, testAsBoth, until } from './scene.ts';
import { type Step, type Typed, typed } from './typing.ts';

declareNeeds('crun', 'python3', 'base-tools');
tap.setTimeout(900_000);

const ctrl = (key: string) => String.fromCharCode(key.charCodeAt(0) % 32);
const leave = `${ctrl('P')}${ctrl('Q')}`;

function attach(scene: Scene, { name }: Made, steps: readonly Step[], options: readonly string[] = []): Promise<Typed> {
  return typed(scene, ['attach', ...options, name], steps);
}

function startAttached(scene: Scene, { name }: Made, steps: readonly Step[]): Promise<Typed> {
  return typed(scene, ['start', '-a', name], steps);
}

function makeShell(t: Test, scene: Scene, script: string, flags: readonly string[] = ['-it']): Promise<Made> {
  return make(t, scene, [...flags, '--', 'sh', '-c', script], false);
}

/** Echoes each line in brackets, until `end`. */
const talking = 'while read -r x; do [ "$x" = end ] && exit 5; echo "<$x>"; done';

testAsBoth('from its first byte on: a terminal with size, input, Ctrl-C and the exit status', async (t, scene) => {
  const script = `
tty; test -t 0 && test -t 1 && test -t 2 && echo all
trap 'echo interrupted' INT
stty size
echo ready1; read line; echo "got <$line>"
echo ready2; until [ "$(stty size)" = '44 88' ]; do sleep 0.05; done
(trap - INT; echo ready3; exec sleep 300); echo "after $?"
exit 9`;
  const made = await makeShell(t, scene, script);
  for (const starts of [1, 2]) {
    const ended = await startAttached(scene, made, [
      { see: 'ready1', type: 'hello\r' },
      { see: 'ready2', size: [44, 88] },
      { see: 'ready3', type: ctrl('C') },
    ]);
    t.match(ended.seen, /^\/dev\/pts\/0\r\nall\r\n33 77\r\nready1\r\n(hello\r\n)?got <hello>\r\n/);
    t.match(ended.seen, /after 130\r\n$/);
    t.match(ended, { status: 9, same: true, left: 0 });
    t.match(logText(scene, made), /got <hello>/, 'the log has it, too');
    t.strictSame(scene.traces(`${made.id}-${starts}`), []);
  }
});

testAsBoth('it is left by the keys, goes on, and is taken up again by others', async (t, scene) => {
  const made = await makeShell(t, scene, `echo ready; ${talking}`);
  const first = await startAttached(scene, made, [
    { see: 'ready', type: 'one\r' },
    { see: '<one>', type: `held${ctrl('P')}back\r` },
    { see: 'back>', type: leave },
  ]);
  t.match(first, { status: 0, same: true, left: 0, seen: /left .*, which goes on/ });
  t.equal((await inspect(scene, made)).state.status, 'running');
  const steps = [
    { see: '', type: 'two\r' },
    { see: '<two>', type: `${leave}x\r` },
    { see: 'x>', type: `x${ctrl(']')}` },
  ];
  const second = await attach(scene, made, steps, ['--detach-keys', 'x,ctrl-]']);
  t.notMatch(second.seen, /<one>/, 'only what is written from now on');
  t.match(second, { status: 0, same: true, left: 0 });
  const third = await attach(scene, made, [
    { see: '', type: '\r' },
    { see: '<', type: 'end\r' },
  ]);
  t.match(third, { status: 5, same: true, left: 0 });
});

testAsBoth("the caller's terminal is as it was after any end, and the sandbox goes on", async (t, scene) => {
  const made = await makeShell(t, scene, `echo ready; ${talking}`);
  t.equal((await scene.call(['start', made.name])).status, 0);
  const { SIGTERM, SIGKILL, SIGHUP } = constants.signals;
  for (const signal of [SIGTERM, SIGHUP, SIGKILL]) {
    const word = `s${signal}`;
    const ended = await attach(scene, made, [
      { see: '', type: `${word}\r` },
      { see: `<${word}>`, signal },
    ]);
    t.match(ended, { same: true, left: 0 }, word);
    t.equal((await inspect(scene, made)).state.status, 'running', word);
  }
  const last = attach(scene, made, [{ see: '', type: 'last\r' }]);
  t.ok(await until(() => logText(scene, made).includes('<last>')));
  process.kill((await inspect(scene, made)).state.pid, 'SIGKILL');
  t.match(await last, { status: 125, same: true, seen: /the supervisor of .* was killed/ });
});

testAsBoth('without a terminal inside: input of several callers, and the end of it', async (t, scene) => {
  const made = await makeShell(t, scene, 'dd bs=1 count=5 of=/dev/null 2>/dev/null; echo got; wc -c; exit 3', ['-i']);
  t.equal((await scene.call(['start', made.name])).status, 0);
  const killed = scene.spawn(sandboxFile, ['attach', made.name], { input: 'open' });
  killed.child.stdin?.write('12345');
  t.ok(await until(() => logText(scene, made).includes('got')));
  killed.child.kill('SIGKILL');
  await killed.ended;
  t.equal((await inspect(scene, made)).state.status, 'running', 'whoever is killed ends nothing');
  const ended = await scene.sandbox(['attach', made.name], { input: Buffer.alloc(300_000, 'x') });
  t.match(ended, { status: 3, stdout: '300000\n', stderr: '' });
  const again = await scene.sandbox(['start', '-a', made.name], { input: Buffer.from('12345four') });
  t.match(again, { status: 3, stdout: 'got\n4\n' });
});

test('input whose end is told while it is still on its way goes in whole', async (t) => {
  const scene = sceneOf('root');
  const made = await makeShell(t, scene, 'sleep 0.3; wc -c', ['-i']);
  t.equal((await scene.call(['start', made.name])).status, 0);
  const seen: string[] = [];
  const end = await attachSandbox(scene.paths, findSandbox(scene.paths, made.name), {
    offset: 0,
    detachKeys: [],
    signal: new AbortController().signal,
    streams: {
      write: async (_stream, bytes) => void seen.push(Buffer.from(bytes).toString()),
      lost: () => undefined,
      read: (take) => {
        void take(Buffer.alloc(300_000, 'x'));
        void take(undefined);
        return () => undefined;
      },
      size: () => undefined,
      onResize: () => () => undefined,
    },
  });
  t.strictSame({ end, seen }, { end: 'ended', seen: ['300000\n'] });
});

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

testAsBoth('Ctrl-C without a terminal inside leaves, and nobody attached holds nobody', async (t, scene) => {
  const made = await makeShell(t, scene, 'head -c 3000000 /dev/zero | tr "\\0" x; echo done >&2; exec sleep 300', []);
  t.equal((await scene.call(['start', made.name])).status, 0);
  t.ok(await until(() => logText(scene, made).includes('done')));
  const started = scene.spawn(sandboxFile, ['attach', made.name]);
  const log = logsFolder(scene.paths, made.id);
  t.ok(await until(() => openFiles(started.pid).some((file) => file.startsWith(log))), 'it follows the log');
  started.child.kill('SIGINT');
  t.match(await started.ended, { status: 130, stdout: '' });
  t.equal((await inspect(scene, made)).state.status, 'running');
});

testAsBoth('what is written before anybody sees to it is not lost, and stdout and stderr are two', async (t, scene) => {
  const made = await makeShell(t, scene, 'echo out; echo err >&2; exit 4', ['-i']);
  t.match(await scene.sandbox(['start', '-a', made.name]), { status: 4, stdout: 'out\n', stderr: 'err\n' });
  const plain = await makeShell(t, scene, 'cat; echo out; exit 4', []);
  const ended = await scene.sandbox(['start', '-a', plain.name], { input: Buffer.from('not taken') });
  t.match(ended, { status: 4, stdout: 'out\n', stderr: '' });
});

testAsBoth('the terminal is of the sandbox, and what is typed goes through its owner alone', async (t, scene) => {
  const made = await makeShell(t, scene, `ls /dev/pts | tr "\\n" " "; echo ready; ${talking}`);
  const ended = await startAttached(scene, made, [{ see: 'ready', type: 'end\r' }]);
  t.match(ended, { status: 5, same: true, seen: /^0 ptmx ready/ });
  t.equal((await scene.call(['start', made.name])).status, 0);
  const { run } = await inspect(scene, made);
  const fifo = `${scene.paths.run}/runs/${run}/typed`;
  t.equal((await scene.spawn('/usr/bin/stat', ['-c', '%a %F', fifo]).ended).stdout, '600 fifo\n');
  // What is no frame is nobody's, and harms nobody.
  await scene.spawn('/bin/sh', ['-c', 'printf "zz" >"$0"; printf "w%1000s" "" >"$0"', fifo]).ended;
  t.equal((await inspect(scene, made)).state.status, 'running');
});

testAsBoth('refuses to attach to one that does not run, and a terminal to who has none', async (t, scene) => {
  const made = await makeShell(t, scene, talking);
  refused(t, await scene.sandbox(['attach', made.name]), /does not run: it is created\n {2}sandbox start -a/);
  const none = await scene.sandbox(['start', '-a', made.name]);
  t.match(none, { status: 2, stderr: /-t needs a terminal/ });
  t.equal((await inspect(scene, made)).state.status, 'created', 'nothing was started');
  const two = await scene.sandbox(['start', '-a', made.name, 'other']);
  t.match(two, { status: 2, stderr: /one sandbox/ });
});
