// Owns the proof of output: both streams apart, live, whole, bounded where they are captured, and never held back.
import { declareNeeds } from './needs.ts';
import { newId, type Scene, sandboxFile, testAsBoth, testAsUser, until } from './scene.ts';
import { findProcesses, readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools', 'python-tools');

const base = ['-p', 'base-tools'];

/** Most memory that any process of ours around the run `id` ever had, bytes; looks until `over` settles. */
async function peakMemory(id: string, over: Promise<unknown>): Promise<number> {
  let [peak, done] = [0, false];
  void over.finally(() => {
    done = true;
  });
  while (!done) {
    for (const { pid } of findProcesses(id)) {
      peak = Math.max(peak, Number(/VmHWM:\s+([0-9]+)/.exec(readSoft(`/proc/${pid}/status`))?.[1] ?? 0) * 1024);
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
  return peak;
}

/** A pipeline in bash: `$0 "$@"` is the sandbox. */
function pipeline(scene: Scene, script: string, id: string, args: readonly string[]) {
  return scene.spawn('/bin/bash', ['-c', script, sandboxFile, 'run', '--id', id, ...args]).ended;
}

testAsBoth('stdout and stderr come apart', async (t, scene) => {
  const ended = await scene.run([...base, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
  t.match(ended, { status: 3, stdout: 'out\n', stderr: 'err\n' });
  // By a command line of its own: its own streams are what is looked at.
  const { result } = await scene.runJson([...base, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'], {});
  t.match(result, {
    status: 'failed',
    exitCode: 3,
    stdout: 'out\n',
    stderr: 'err\n',
    truncated: { stdout: false, stderr: false },
  });
});

testAsUser('a line arrives when it is written, not when the program ends', async (t, scene) => {
  const started = scene.spawn(
    sandboxFile,
    ['run', ...base, '--stdin', '--', 'sh', '-c', 'echo first; read line; echo "second $line"'],
    { input: 'open' },
  );
  t.ok(await until(() => started.out().toString() === 'first\n'), started.err().toString());
  started.child.stdin?.end('go\n');
  t.match(await started.ended, { status: 0, stdout: 'first\nsecond go\n' });
});

testAsUser('a gigabyte goes through, and nothing of ours holds it', async (t, scene) => {
  const id = newId();
  const ended = pipeline(scene, '"$0" "$@" | wc -c', id, [...base, '--', 'head', '-c', '1000000000', '/dev/zero']);
  const peak = await peakMemory(id, ended);
  t.equal((await ended).stdout.trim(), '1000000000');
  t.ok(peak > 0 && peak < 64 << 20, `${peak} bytes`);
  t.strictSame(scene.traces(id), []);
});

testAsUser('of a gigabyte, a result holds what the profile allows', async (t, scene) => {
  const id = newId();
  const running = scene.sandbox([
    'run',
    '--id',
    id,
    '--json',
    ...base,
    '--',
    'sh',
    '-c',
    'head -c 1000000000 /dev/zero | tr "\\0" x; echo end >&2',
  ]);
  const peak = await peakMemory(id, running);
  const result = JSON.parse((await running).stdout) as {
    stdout: string;
    stderr: string;
    truncated: unknown;
    exitCode: number;
  };
  t.equal(result.stdout.length, 1 << 20);
  t.match(result, { exitCode: 0, stderr: 'end\n', truncated: { stdout: true, stderr: false } });
  t.ok(peak < 300 << 20, `${peak} bytes`);
});

testAsBoth('a reader that has enough ends the program, as without a sandbox', async (t, scene) => {
  const id = newId();
  const ended = await pipeline(scene, 'set -o pipefail; "$0" "$@" | head -c 4; echo " ${PIPESTATUS[0]}"', id, [
    ...base,
    '--',
    'yes',
  ]);
  t.match(ended.stdout, /^y\ny\n (141|1)\n$/);
  t.strictSame(scene.traces(id), []);
});

testAsUser('a captured stream is cut between characters, and says so', async (t, scene) => {
  const profile = scene.write('ten.yaml', 'extends: base-tools\noutput: { stdout: 10b, stderr: 4b }\n');
  const cut = await scene.runJson(['-p', profile, '--', 'sh', '-c', 'printf xéééééé; printf "a€b" >&2']);
  t.match(cut.result, { stdout: 'xéééé', stderr: 'a€', truncated: { stdout: true, stderr: true }, exitCode: 0 });
  const exact = await scene.runJson(['-p', profile, '--', 'sh', '-c', 'printf ééééé; printf "a€" >&2']);
  t.match(exact.result, { stdout: 'ééééé', stderr: 'a€', truncated: { stdout: false, stderr: false } });
  const direct = await scene.run(['-p', profile, '--', 'sh', '-c', 'printf xéééééé']);
  t.equal(direct.stdout, 'xéééééé', 'what goes straight to the caller is not cut');
});

testAsUser('any byte passes through unchanged, and a result stays valid JSON', async (t, scene) => {
  const script = 'import os; os.write(1, bytes(range(256)) * 300); os.write(2, b"\\xff\\xfe\\x00\\x1b[31m")';
  const all = Buffer.concat(
    Array.from({ length: 300 }, () => Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))),
  );
  const plain = await scene.run(['-p', 'python-tools', '--', 'python3', '-c', script]);
  t.ok(plain.out.equals(all));
  t.ok(plain.err.equals(Buffer.from('fffe001b5b33316d', 'hex')));
  const { result, stdout } = await scene.runJson(['-p', 'python-tools', '--', 'python3', '-c', script]);
  t.equal(result.stdout.length, new TextDecoder().decode(all).length);
  t.match(result.stderr, '��\0\u001b[31m');
  t.notMatch(stdout, /\u001b/, 'no raw escape in the JSON');
});

testAsBoth('a program may close its output and go on', async (t, scene) => {
  const ended = await scene.run([...base, '--', 'sh', '-c', 'echo early; exec >&- 2>&-; sleep 0.2; exit 7']);
  t.match(ended, { status: 7, stdout: 'early\n' });
});

testAsBoth('a child in the background that keeps the pipe does not hold the caller', async (t, scene) => {
  const begin = Date.now();
  for (const json of [[], ['--json']]) {
    const ended = await scene.run([
      ...json,
      ...base,
      '--',
      'bash',
      '-c',
      'setsid sleep 600 & sleep 601 & (trap "" TERM HUP; sleep 602) & echo done',
    ]);
    t.match(ended.stdout, /done/);
    t.equal(ended.status, 0);
  }
  t.ok(Date.now() - begin < 500_000);
});

testAsUser('output that cannot be written is our failure, not the program’s', async (t, scene) => {
  const ended = await scene.spawn('/bin/sh', [
    '-c',
    'exec "$0" "$@" >/dev/full',
    sandboxFile,
    'run',
    ...base,
    '--',
    'echo',
    'x',
  ]).ended;
  t.equal(ended.status, 125);
  t.match(ended.stderr, /stdout could not be written/);
});
