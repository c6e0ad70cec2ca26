// Owns the supervisor's output log: whole frames in bounded files, which never hold the program up.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { fields, type Scene, setScene, until } from './supervise-scene.ts';

const log = '--output-log "$PWD/logs"';

/** The frames of one file: stream and text. Throws where it holds anything else. */
function readFrames(file: string): { stream: string; text: string }[] {
  const bytes = readFileSync(file);
  const frames: { stream: string; text: string }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const [, stream = '', size = ''] = /^[0-9]{13} ([oe]) ([0-9]+)$/.exec(bytes.toString('latin1', at, end)) ?? [];
    const next = end + 1 + Number(size);
    if (size === '' || end < 0 || bytes[next] !== 10) throw new Error(`${file}: no frame at ${at}`);
    frames.push({ stream, text: bytes.toString('latin1', end + 1, next) });
    at = next + 1;
  }
  return frames;
}

function filesOf(scene: Scene): number[] {
  return readdirSync(join(scene.directory, 'logs'))
    .map(Number)
    .sort((a, b) => a - b);
}

function textOf(scene: Scene, stream: string): string {
  const frames = filesOf(scene).flatMap((name) => readFrames(join(scene.directory, 'logs', `${name}`)));
  return frames
    .filter((frame) => frame.stream === stream)
    .map(({ text }) => text)
    .join('');
}

async function setLogScene(t: Parameters<typeof setScene>[0]): Promise<Scene> {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'logs'));
  return scene;
}

test('output goes to the log as frames, and none of it to the streams of the supervisor', async (t) => {
  const scene = await setLogScene(t);
  const { exitCode, stdout, stderr } = await scene.play(`./run ${log} -- /bin/sh -c 'echo out; echo err >&2; exit 3'`);
  t.equal(exitCode, 3);
  t.equal(stdout + stderr, '');
  t.strictSame(filesOf(scene), [0]);
  t.equal(textOf(scene, 'o'), 'out\n');
  t.equal(textOf(scene, 'e'), 'err\n');
});

test('the log goes on behind the last whole frame, where a killed supervisor left half a one', async (t) => {
  const scene = await setLogScene(t);
  await scene.play(`./run ${log} -- /bin/echo one`);
  const file = join(scene.directory, 'logs', '0');
  const whole = statSync(file).size;
  for (const half of ['1795230903730 o 10\nabc', '1795230903', '1795230903730 o 3\nabcd', 'rubbish\n']) {
    appendFileSync(file, half);
    await scene.play(`./run ${log} -- /bin/true`);
    t.equal(statSync(file).size, whole, JSON.stringify(half));
  }
  await scene.play(`./run ${log} -- /bin/echo two`);
  t.equal(textOf(scene, 'o'), 'one\ntwo\n');
});

test('of 200 MB on both streams the newest two files are kept, each at most 32 MiB, named by their offset', async (t) => {
  const scene = await setLogScene(t);
  const { exitCode } = await scene.play(
    `./run ${log} --record "$PWD/record" --record-head h -- /bin/sh -c 'seq 100000000 | head -c 100000000 & seq 100000000 | head -c 100000000 >&2; wait; sleep 0.1; echo last'`,
  );
  t.equal(exitCode, 0);
  const [older = 0, newer = 0, ...more] = filesOf(scene);
  t.strictSame(more, []);
  const sizes = [older, newer].map((name) => statSync(join(scene.directory, 'logs', `${name}`)).size);
  t.ok(sizes.every((size) => size <= 32 << 20));
  t.equal(newer, older + (sizes[0] ?? 0), 'the second begins where the first ends');
  t.ok(textOf(scene, 'o').endsWith('last\n'));
  t.strictSame(fields(scene.read('record')).slice(-4), ['exited', '100000005', '100000000', '-']);
});

test('a full disk costs the log its end and not the program its life, and the record says so', async (t) => {
  const scene = await setLogScene(t);
  const { exitCode } = await scene.play(
    // 64 KiB: what is beyond fails with EFBIG, as a full disk would with ENOSPC.
    `ulimit -f 128; ./run ${log} --record "$PWD/record" --record-head h -- /bin/sh -c 'echo first; seq 100000000 | head -c 3000000; echo end >&2; exit 5'`,
  );
  t.equal(exitCode, 5);
  t.strictSame(fields(scene.read('record')).slice(-4), ['exited', '3000006', '4', 'o']);
  t.ok(textOf(scene, 'o').startsWith('first\n'), 'and what is there is whole frames');
});

test('refuses to start anything when the log cannot be written', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stderr } = await scene.play(`./run ${log} -- /bin/sh -c 'touch ran'`);
  t.equal(exitCode, 125);
  t.match(stderr, /output log .*No such file/);
  t.equal(scene.read('ran'), undefined);
});

test('a run is not idle while its activity folder holds an entry, and then since it went', async (t) => {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'execs'));
  appendFileSync(join(scene.directory, 'execs', 'one'), '');
  const options = ['--activity', join(scene.directory, 'execs'), '--record', join(scene.directory, 'record')];
  const run = scene.start([...options, '--record-head', 'h', '--', '/bin/sleep', '60'], { idle: 200 });
  await new Promise((done) => setTimeout(done, 1000));
  t.equal(scene.read('record'), '', 'it goes on');
  await scene.play('rm execs/one');
  t.ok(await until(() => scene.read('record') !== ''));
  t.match(scene.read('record'), / idle /);
  t.equal((await run.ended).exitCode, 124);
});

test('without an activity folder, output alone counts', async (t) => {
  const scene = await setScene(t);
  const { exitCode } = await scene.play(`./run --activity "$PWD/execs" -- /bin/sleep 60`, { idle: 200 });
  t.equal(exitCode, 124);
  t.strictSame(readdirSync(join(scene.directory, 'execs')), [], 'it is made');
});
