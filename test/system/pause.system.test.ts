// Owns the proof that a paused sandbox does nothing, whatever it prepared, and ends when it must all the same.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, testAsBoth, until } from './scene.ts';

declareNeeds('crun', 'base-tools');

interface LogLine {
  readonly offset: number;
  readonly time: string;
  readonly text: string;
}

async function logOf({ sandbox }: Scene, name: string): Promise<LogLine[]> {
  const { stdout } = await sandbox(['logs', '--json', name]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);
}

/** Whether the log is longer after 400 ms, four times as long as a line takes; looks up to `looks` times for the answer `wanted`. */
async function grows(scene: Scene, name: string, wanted: boolean, looks = 50): Promise<boolean> {
  const before = (await logOf(scene, name)).length;
  await new Promise((done) => setTimeout(done, 400));
  const grown = (await logOf(scene, name)).length > before;
  return grown === wanted || looks === 1 ? grown : grows(scene, name, wanted, looks - 1);
}

// One that beats, and a second one that wakes the first: what SIGSTOP does not stop.
const waker = `(while :; do kill -CONT 1 $$ 2>/dev/null; sleep 0.05; done) & while :; do echo beat; sleep 0.1; done`;

testAsBoth(
  'a paused sandbox writes nothing until it goes on, although a helper of it tries to wake it',
  async (t, scene) => {
    const live = await makeLive(t, scene, [], ['--', 'sh', '-c', waker]);
    t.ok(await grows(scene, live.name, true), 'the control: it beats');
    const paused = await scene.call(['pause', live.name]);
    t.match(paused, { status: 0, stdout: `${live.name}\n` }, paused.stderr);
    t.notOk(await grows(scene, live.name, false));
    const listed = await scene.call(['ps', '--filter', `name=${live.name}`, '--format', '{{.State}}']);
    t.equal(listed.stdout, 'paused\n');
    const again = await scene.call(['pause', live.name]);
    t.match([again.status, again.stderr], [125, /is not running: it is paused/]);
    const { stdout } = await scene.call(['stats', '--no-stream', '--format', '{{.CPUPerc}}', live.name]);
    t.equal(stdout, '0.00%\n');
    t.equal((await scene.call(['unpause', live.name])).status, 0);
    t.ok(await grows(scene, live.name, true));
    const twice = await scene.call(['unpause', live.name]);
    t.match([twice.status, twice.stderr], [125, /is not paused: it is running/]);
  },
);

for (const [how, end] of [
  ['stop', ['stop', '-t', '1']],
  ['kill', ['kill', '-s', 'KILL']],
  ['rm -f', ['rm', '-f']],
] as const) {
  testAsBoth(`a paused sandbox ends by ${how} and leaves nothing`, async (t, scene) => {
    const live = await makeLive(t, scene);
    t.equal((await scene.call(['pause', live.name])).status, 0);
    const { status, stderr } = await scene.call([...end, live.name]);
    t.equal(status, 0, stderr);
    t.ok(await until(() => scene.traces(live.run).length === 0), scene.traces(live.run).join(', '));
  });
}

testAsBoth('a paused sandbox ends with its lifetime', async (t, scene) => {
  const live = await makeLive(t, scene, ['--ttl', '3s']);
  t.equal((await scene.call(['pause', live.name])).status, 0);
  const waited = await scene.call(['wait', live.name]);
  t.equal(waited.stdout, '124\n', waited.stderr);
  t.ok(await until(() => scene.traces(live.run).length === 0), scene.traces(live.run).join(', '));
});

testAsBoth('a paused sandbox whose supervisor is killed is freed', async (t, scene) => {
  const live = await makeLive(t, scene);
  t.equal((await scene.call(['pause', live.name])).status, 0);
  const record = join(scene.paths.run, 'records', live.run);
  const pid = Number(readFileSync(record, 'utf8').split(' ')[2]);
  process.kill(pid, 'SIGKILL');
  t.ok(await until(() => !existsSync(`/proc/${pid}/exe`)));
  const { status, stderr } = await scene.call(['gc']);
  t.equal(status, 0, stderr);
  t.same(scene.traces(live.run), []);
});

testAsBoth('refuses to pause what does not run', async (t, scene) => {
  const live = await makeLive(t, scene);
  t.match((await scene.call(['pause', 'no-such-box'])).stderr, /no sandbox is called/);
  await scene.call(['stop', live.name]);
  const { status, stderr } = await scene.call(['pause', live.name]);
  t.match([status, stderr], [125, /is not running: it is exited/]);
});

testAsBoth('stats tell cpu, memory and processes of a busy sandbox', async (t, scene) => {
  const live = await makeLive(t, scene, [], ['--', 'sh', '-c', 'sleep 1000 & while :; do :; done']);
  const { stdout, stderr } = await scene.call(['stats', '--no-stream', '--format', 'json', live.name]);
  const [row] = JSON.parse(stdout) as {
    CPUPerc: number;
    MemUsage: { bytes: number; limit: number };
    PIDs: { pids: number };
  }[];
  t.ok(row !== undefined && row.CPUPerc > 1, `${stdout}${stderr}`);
  t.ok(row !== undefined && row.MemUsage.bytes > 0 && row.MemUsage.limit > row.MemUsage.bytes);
  t.ok(row !== undefined && row.PIDs.pids >= 3);
});
