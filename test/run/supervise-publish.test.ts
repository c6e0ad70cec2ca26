// Owns the supervisor's --publish: what it refuses, and that a port which is taken starts nothing.
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { setScene } from './supervise-scene.ts';

const refused: Readonly<Record<string, string>> = {
  'a name for an address': 'localhost=8080=80',
  'no port inside': '127.0.0.1=8080',
  'a port that is 0': '127.0.0.1=0=80',
  'a port above 65535': '127.0.0.1=65536=80',
  'a port inside that is 0': '127.0.0.1=8080=0',
  'a sign before a port': '127.0.0.1=+80=80',
  'an address that is too long': `${'1'.repeat(60)}=8080=80`,
  'a zone': 'fe80::1%lo=8080=80',
  'a fourth field': '127.0.0.1=8080=80=1',
  nothing: '',
};

for (const [fault, value] of Object.entries(refused)) {
  test(`refuses ${fault} with status 125`, async (t) => {
    const scene = await setScene(t);
    const run = `./run --run-dir "$PWD/run-dir" --publish '${value}' -- /bin/touch started`;
    const { exitCode, stderr } = await scene.play(run);
    t.equal(exitCode, 125);
    t.equal(stderr, 'sandbox: supervise: --publish has a malformed value\n');
    t.equal(scene.read('started'), undefined);
  });
}

test('refuses seventeen ports, and ports without a run directory or for an execution', async (t) => {
  const scene = await setScene(t);
  const one = '--publish 127.0.0.1=8080=80 ';
  for (const words of [`--run-dir "$PWD/r" ${one.repeat(17)}`, one, `--run-dir "$PWD/r" --enter ${one}`]) {
    const { exitCode } = await scene.play(`./run ${words} -- /bin/touch started`);
    t.equal(exitCode, 125, words);
  }
  t.equal(scene.read('started'), undefined);
});

async function listen(t: Test, address: string, onConnection = () => {}): Promise<number> {
  const server = createServer((socket) => {
    onConnection();
    socket.end('hello');
  });
  await new Promise<void>((done) => server.listen(0, address, done));
  t.teardown(() => new Promise((done) => server.close(done)));
  const found = server.address();
  return typeof found === 'object' && found !== null ? found.port : 0;
}

test('refuses to start where a port is taken, says which, and leaves nothing', async (t) => {
  const scene = await setScene(t);
  for (const [address, shown] of [
    ['127.0.0.1', '127\\.0\\.0\\.1'],
    ['::1', '::1'],
  ] as const) {
    const port = await listen(t, address);
    const run = `./run --make --run-dir "$PWD/run-dir" --publish ${address}=${port}=80 -- /bin/touch started`;
    const { exitCode, stderr } = await scene.play(run);
    t.equal(exitCode, 125);
    t.match(stderr, new RegExp(`^sandbox: the port ${shown}=${port} cannot be listened at: Address in use\n`));
    t.equal(scene.read('started'), undefined);
    t.notOk(existsSync(join(scene.directory, 'run-dir')));
  }
  const { stderr } = await scene.play(
    `./run --make --run-dir "$PWD/run-dir" --result-fd 3 --publish 192.0.2.77=8080=80 -- /bin/touch started 3>line`,
  );
  t.equal(stderr, '');
  t.match(scene.read('line'), /^fail\tPORT_REFUSED\tthe port 192\.0\.2\.77=8080 cannot be listened at: /);
});

test('a program outside of a sandbox is never led to: the port is held, and nothing answers', async (t) => {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'run-dir'));
  let connections = 0;
  const inside = await listen(t, '127.0.0.1', () => {
    connections += 1;
  });
  // A shell and its child are what a runtime and its init are; both are in the host's own network.
  const script = `sh -c 'sleep 1; : done' & exec 3<>/dev/tcp/127.0.0.1/$1; timeout 1 cat <&3`;
  const port = await freePort();
  const words = `--publish 127.0.0.1=${port}=${inside} -- /bin/bash -c '${script.replaceAll("'", `'\\''`)}' bash ${port}`;
  const { stdout } = await scene.play(`./run --run-dir "$PWD/run-dir" ${words}`);
  t.strictSame([stdout, connections], ['', 0]);
  const { stdout: direct } = await scene.play(`exec /bin/bash -c 'cat </dev/tcp/127.0.0.1/${inside}'`);
  t.strictSame([direct, connections], ['hello', 1], 'the control: it answers whoever asks it');
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const found = server.address();
  await new Promise((done) => server.close(done));
  return typeof found === 'object' && found !== null ? found.port : 0;
}
