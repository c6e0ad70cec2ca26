// Owns the proof of standard input, and that the caller's own files, pipes, devices and terminal are as they were.
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { declareNeeds } from './needs.ts';
import { type Scene, sandboxFile, testAsBoth } from './scene.ts';

declareNeeds('crun', 'script', 'mkfifo', 'base-tools');

const base = ['-p', 'base-tools'];
const bytes = randomBytes(1 << 20);
const digest = createHash('sha256').update(bytes).digest('hex');

function stateOf(file: string): unknown {
  const { uid, gid, mode, rdev, ino } = statSync(file);
  return { uid, gid, mode, rdev, ino };
}

/** Flags of an open file: shared with whoever inherits it, so a change of O_NONBLOCK inside would show here. */
function flagsOf(fd: number): string {
  return /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? 'none';
}

testAsBoth('standard input is empty unless it is asked for', async (t, scene) => {
  const ended = await scene.run([...base, '--', 'wc', '-c'], { input: bytes });
  t.match(ended, { status: 0, stdout: '0\n' });
});

testAsBoth('--stdin passes every byte on, and back', async (t, scene) => {
  const sum = await scene.run([...base, '--stdin', '--', 'sha256sum'], { input: bytes });
  t.equal(sum.stdout.split(' ')[0], digest);
  const there = await scene.run([...base, '-i', '--', 'cat'], { input: bytes });
  t.ok(there.out.equals(bytes));
  const json = await scene.runJson([...base, '--stdin', '--', 'sha256sum'], { input: bytes });
  t.equal(json.result.stdout.split(' ')[0], digest);
});

testAsBoth('a program that does not read its input ends all the same', async (t, scene) => {
  t.equal((await scene.run([...base, '--stdin', '--', 'true'], { input: bytes })).status, 0);
  t.equal(
    (await scene.run([...base, '--stdin', '--', 'true'], { input: 'open' })).status,
    0,
    'also when the input stays open',
  );
});

testAsBoth('a file as input and output keeps its owner, mode and flags', async (t, scene) => {
  const source = scene.write('source', bytes, 0o600);
  const target = scene.write('target', 'before\n', 0o640);
  const before = [stateOf(source), stateOf(target)];
  const [input, output] = [openSync(source, 'r'), openSync(target, 'a')];
  const flags = [flagsOf(input), flagsOf(output)];
  const ended = await scene.run(
    [...base, '--stdin', '--', 'sh', '-c', 'sha256sum; ls -l /proc/self/fd/0 >&2; : 2>/dev/null >/proc/self/fd/1'],
    { input, stdout: output },
  );
  t.strictSame([flagsOf(input), flagsOf(output)], flags);
  for (const fd of [input, output]) closeSync(fd);
  t.equal(ended.status, 0, ended.stderr);
  t.match(ended.stderr, /pipe:/, 'the program has a pipe, not the file');
  t.strictSame([stateOf(source), stateOf(target)], before);
  t.equal(readFileSync(target, 'utf8'), `before\n${digest}  -\n`);
});

testAsBoth('/dev/null as all three stays the host’s own', async (t, scene) => {
  const before = stateOf('/dev/null');
  const null_ = openSync('/dev/null', 'r+');
  const ended = await scene.run(
    [
      ...base,
      '--stdin',
      '--',
      'sh',
      '-c',
      'cat; echo x; echo y >&2; chmod 600 /dev/null /proc/self/fd/0 2>/dev/null; exit 5',
    ],
    { input: null_, stdout: null_, stderr: null_ },
  );
  closeSync(null_);
  t.equal(ended.status, 5);
  t.strictSame(stateOf('/dev/null'), before);
});

function closed(scene: Scene, redirection: string, args: readonly string[]) {
  return scene.spawn('/bin/sh', ['-c', `exec "$0" "$@" ${redirection}`, sandboxFile, 'run', ...args]).ended;
}

testAsBoth('closed descriptors of the caller stay closed, and the status is the program’s', async (t, scene) => {
  for (const json of [[], ['--label', 'a=b']]) {
    for (const redirection of ['<&-', '>&-', '2>&-', '<&- >&- 2>&-']) {
      const ended = await closed(scene, redirection, [
        ...json,
        ...base,
        '--stdin',
        '--',
        'sh',
        '-c',
        'cat; echo out; echo err >&2; exit 6',
      ]);
      t.equal(ended.status, 6, `${json.join(' ')} ${redirection} ${ended.stderr}`);
      if (redirection === '<&-') t.match(ended, { stdout: 'out\n', stderr: 'err\n' });
    }
  }
});

testAsBoth('a pipe and its flags stay as the caller made them', async (t, scene) => {
  const fifo = `${scene.home}/fifo`;
  await scene.spawn('/usr/bin/mkfifo', [fifo]).ended;
  chownSync(fifo, scene.uid, scene.gid);
  const ours = openSync(fifo, 'r+');
  const before = [flagsOf(ours), stateOf(fifo)];
  t.equal((await scene.run([...base, '--', 'echo', 'through'], { stdout: ours })).status, 0);
  t.strictSame([flagsOf(ours), stateOf(fifo)], before);
  closeSync(ours);
});

const around = 'stty -g >before; "$0" "$@"; echo "status $?"; stty -g | cmp - before && echo same';

/** Runs at a terminal of its own, on which `keys` are typed; `after` is what the shell does next. Gives what stands there. */
async function atTerminal(scene: Scene, args: readonly string[], keys: string, after = ':') {
  const quoted = [sandboxFile, 'run', ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const started = scene.spawn('/usr/bin/script', ['-qec', `sh -c '${around}; ${after}' ${quoted}`, '/dev/null'], {
    input: 'open',
  });
  started.child.stdin?.write(keys);
  const ended = await started.ended;
  return ended.stdout.replaceAll('\r', '');
}

testAsBoth('at a terminal, the program has none and cannot read what is typed', async (t, scene) => {
  const inside =
    'test -t 0 || test -t 1 || test -t 2 || echo none; (: </dev/tty) 2>/dev/null || echo "no tty"; cat; ps -o tty= -p $$; exit 9';
  const text = await atTerminal(
    scene,
    [...base, '--', 'sh', '-c', inside],
    'secret\n',
    'read -r typed; echo "typed $typed"',
  );
  for (const wanted of ['none', 'no tty', 'status 9', 'same', 'typed secret']) t.match(text, `\n${wanted}`, text);
});

testAsBoth('at a terminal, --stdin passes lines on and leaves the terminal as it was', async (t, scene) => {
  const text = await atTerminal(
    scene,
    [...base, '--stdin', '--', 'sh', '-c', 'read -r line; echo "got $line"'],
    'hello\n',
  );
  for (const wanted of ['got hello', 'status 0', 'same']) t.match(text, `\n${wanted}`, text);
});
