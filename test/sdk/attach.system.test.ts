// Owns being attached from the library: what a program writes comes, what is given goes in, and how it ended is told.
import { Readable } from 'node:stream';
import { type Test, test } from 'tap';
import { type CreateOptions, createSandbox } from '../../lib/sdk/index.ts';

export const needs = ['root or a prepared user', 'image base-tools'];

const host = { hostEnv: process.env, cwd: '/' };

async function startOne(t: Test, options: Partial<CreateOptions> & Pick<CreateOptions, 'command'>) {
  const made = await createSandbox({ ...host, profile: 'base-tools', ...options });
  t.teardown(() => made.remove({ force: true }).catch(() => undefined));
  await made.start();
  return made;
}

/** Collects as text what is written, and settles `seen` when `text` has come. */
function listenFor(text: string) {
  const got = { stdout: '', stderr: '' };
  let tell: () => void = () => undefined;
  const seen = new Promise<void>((done) => {
    tell = done;
  });
  const into = (stream: 'stdout' | 'stderr') => (bytes: Uint8Array) => {
    got[stream] += Buffer.from(bytes).toString();
    if (got[stream].includes(text)) tell();
  };
  return { got, seen, stdout: into('stdout'), stderr: into('stderr') };
}

test('passes input, output and the exit status, and the end of the input', async (t) => {
  const made = await startOne(t, { command: ['sh', '-c', 'cat; echo end >&2; exit 7'], interactive: true });
  const { got, stdout, stderr } = listenFor('end');
  const result = await made.attach({ stdin: 'first\nsecond\n', stdout, stderr, from: 'start' });
  t.strictSame(result, { end: 'ended', exitCode: 7 });
  t.strictSame(got, { stdout: 'first\nsecond\n', stderr: 'end\n' });
  await t.rejects(made.attach(), { code: 'SANDBOX_STATE' });
  const again = listenFor('end');
  t.strictSame(await made.attach({ ...again, from: 'start' }), { end: 'ended', exitCode: 7 }, 'what its log holds');
  t.strictSame(again.got, got);
});

test('answers go in while questions come out, from a stream of any length', async (t) => {
  const command = ['sh', '-c', 'echo ready; read -r answer; echo "got $answer"; wc -c'];
  const made = await startOne(t, { command, interactive: true });
  const { got, seen, stdout } = listenFor('ready\n');
  async function* answers() {
    await seen;
    yield 'yes\n';
    yield* Readable.from([Buffer.alloc(100_000, 'x'), 'y'.repeat(100_000)]);
  }
  t.match(await made.attach({ stdin: answers(), stdout, from: 'start' }), { exitCode: 0 });
  t.equal(got.stdout, 'ready\ngot yes\n200000\n');
});

test('leaves when the signal aborts, and the sandbox goes on', async (t) => {
  const made = await startOne(t, { command: ['sh', '-c', 'echo ready; cat'], interactive: true });
  const { seen, stdout } = listenFor('ready\n');
  const controller = new AbortController();
  const attached = made.attach({ stdout, from: 'start', signal: controller.signal });
  await seen;
  controller.abort();
  t.strictSame(await attached, { end: 'aborted', exitCode: null });
  t.equal(made.inspect().state.status, 'running');
  const second = listenFor('more\n');
  const leaving = new AbortController();
  const stays = (async function* () {
    yield 'more\n';
    await new Promise((done) => leaving.signal.addEventListener('abort', done));
  })();
  const later = made.attach({ ...second, stdin: stays, signal: leaving.signal });
  await second.seen;
  leaving.abort();
  t.strictSame(await later, { end: 'aborted', exitCode: null });
  t.equal(second.got.stdout, 'more\n', 'from now on alone');
});

test('a terminal has the size that is given', async (t) => {
  const command = ['sh', '-c', 'read -r go; stty size'];
  const made = await startOne(t, { command, interactive: true, tty: true });
  const { got, stdout } = listenFor('');
  await made.attach({ stdin: 'go\n', stdout, size: { rows: 17, columns: 93 }, from: 'start' });
  t.match(got.stdout, /^17 93\r$/m);
});

test('refuses input that is not taken, and tells what breaks, without an end of the sandbox', async (t) => {
  const deaf = await startOne(t, { command: ['sleep', '600'] });
  await t.rejects(deaf.attach({ stdin: 'x' }), { code: 'SANDBOX_STATE', message: /to take input/ });
  const made = await startOne(t, { command: ['sh', '-c', 'echo ready; cat'], interactive: true });
  const fault = new Error('torn');
  const broken = (async function* () {
    yield 'a\n';
    throw fault;
  })();
  await t.rejects(made.attach({ stdin: broken }), fault);
  const full = () => Promise.reject(fault);
  await t.rejects(made.attach({ stdout: full, from: 'start' }), fault);
  t.equal(made.inspect().state.status, 'running');
  const created = await createSandbox({ ...host, profile: 'base-tools' });
  t.teardown(() => created.remove());
  await t.rejects(created.attach({ from: 'start' }), { code: 'SANDBOX_STATE', message: /does not run: it is created/ });
});
