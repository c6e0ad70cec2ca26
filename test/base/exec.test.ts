// Owns the proof that children get the argv and the environment they are given, nothing else, and end when they must.
import { test } from 'tap';
import { runTool, runToolSync, streamTool, systemPath } from '../../lib/base/exec.ts';

const env = { PATH: systemPath };

test('a child gets its arguments byte for byte', async (t) => {
  const args = [
    '',
    ' ',
    'a b',
    'new\nline',
    '"q"',
    "'q'",
    '$(id)',
    '`id`',
    '*',
    '\\',
    '-n',
    '--help',
    'ü🙂',
    'x'.repeat(100_000),
  ];
  const { stdout } = runToolSync('printf', ['%s\\0', ...args]);
  t.same(stdout.split('\0').slice(0, -1), args);
});

test('a child inherits nothing of our environment', async (t) => {
  process.env['COFFERDAM_TEST_LEAK'] = 'leaked';
  t.teardown(() => delete process.env['COFFERDAM_TEST_LEAK']);
  // tap adds its own to whatever a test starts; everything else is ours to answer for.
  const ofTap = /^(_TAPJS_|NODE_OPTIONS=|\/)/;
  const lines = (text: string) => {
    const all = text.trim().split('\n').sort();
    return all.filter((line) => !ofTap.test(line));
  };
  t.same(lines((await runTool('env', [])).stdout), ['LANG=C.UTF-8', `PATH=${systemPath}`]);
  t.same(lines(runToolSync('env', [], { env: { A: 'b' } }).stdout), ['A=b', 'LANG=C.UTF-8', `PATH=${systemPath}`]);
});

test('a child has no stdin unless it is given one', async (t) => {
  t.equal((await runTool('cat', [])).stdout, '');
  t.equal((await runTool('cat', [], { input: 'in' })).stdout, 'in');
});

test('refuses an argument with a NUL', async (t) => {
  const none = () => undefined;
  const streamed = () => streamTool('printf', ['a\u0000b'], { env, stdin: 'ignore', stdout: none, stderr: none });
  await t.rejects(runTool('printf', ['a\u0000b']), { code: 'ARGUMENT_INVALID' });
  t.throws(() => runToolSync('printf', ['a\u0000b']), { code: 'ARGUMENT_INVALID' });
  t.throws(streamed, { code: 'ARGUMENT_INVALID' });
});

test('a failure names the program, why, and the end of what it said', async (t) => {
  await t.rejects(runTool('no-such-program', ['x']), {
    code: 'TOOL_FAILED',
    message: /^no-such-program x is not installed/,
  });
  const fail = ['-c', 'echo one >&2; printf "\\033[31mtwo" >&2; exit 3'];
  await t.rejects(runTool('sh', fail), { code: 'TOOL_FAILED', message: /failed with status 3: one \| \\x1b\[31mtwo$/ });
  t.throws(() => runToolSync('sh', fail), { code: 'TOOL_FAILED', message: /status 3/ });
  t.match(await runTool('sh', ['-c', 'exit 3'], { accept: [0, 3] }), { exitCode: 3 });
  await t.rejects(runTool('sh', ['-c', 'kill -9 $$']), { message: /was ended by SIGKILL/ });
});

test('a child that takes too long or says too much is ended', async (t) => {
  await t.rejects(runTool('sleep', ['1000'], { timeoutMs: 100 }), { code: 'TOOL_FAILED', message: /took too long/ });
  await t.rejects(runTool('yes', [], { maxBytes: 1000 }), { code: 'TOOL_FAILED' });
});

test('a streamed child passes its output on, and says how it ended', async (t) => {
  const chunks: [string, string][] = [];
  const sink = (name: string) => (chunk: Uint8Array) => void chunks.push([name, Buffer.from(chunk).toString('latin1')]);
  const script = 'printf "o\\377"; printf e >&2; exit 7';
  const child = streamTool('sh', ['-c', script], { env, stdin: 'ignore', stdout: sink('out'), stderr: sink('err') });
  t.match(await child.ended, { exitCode: 7, startError: undefined });
  const of = (wanted: string) => chunks.flatMap(([name, text]) => (name === wanted ? [text] : [])).join('');
  t.same([of('out'), of('err')], ['o\u00ff', 'e'], 'bytes stay bytes');
});

test('a streamed child can be ended by a signal', async (t) => {
  const none = () => undefined;
  const child = streamTool('sleep', ['1000'], { env, stdin: 'ignore', stdout: none, stderr: none });
  child.kill('SIGTERM');
  t.match(await child.ended, { exitCode: undefined, signal: 'SIGTERM' });
});

test('a streamed child that cannot start says so', async (t) => {
  const none = () => undefined;
  const child = streamTool('/no/such/program', [], { env, stdin: 'ignore', stdout: none, stderr: none });
  t.match(await child.ended, { exitCode: undefined, startError: String });
});

test('a stdin that is held stays open until it is released', async (t) => {
  const chunks: string[] = [];
  const child = streamTool('sh', ['-c', 'echo ready; cat; echo closed'], {
    env,
    stdin: 'hold',
    stdout: (chunk) => {
      chunks.push(Buffer.from(chunk).toString());
      if (chunks.join('') === 'ready\n') child.release();
    },
    stderr: () => undefined,
  });
  t.match(await child.ended, { exitCode: 0 });
  t.equal(chunks.join(''), 'ready\nclosed\n');
});
