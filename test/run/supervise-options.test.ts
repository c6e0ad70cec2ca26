// Owns the supervisor's command line: what it refuses, before anything is started.
import { test } from 'tap';
import { setScene } from './supervise-scene.ts';

const refused: Readonly<Record<string, string>> = {
  'an unknown option': '--frobnicate 1 -- /bin/touch started',
  'a program without --': '/bin/touch started',
  'no program': '--',
  'no arguments at all': '',
  'a relative program': '-- touch started',
  'an option twice': '--grace-ms 5 -- /bin/touch started',
  'a run directory that is relative': '--run-dir run -- /bin/touch started',
  'a run directory that is the root': '--run-dir // -- /bin/touch started',
  'a run directory that climbs': '--run-dir /tmp/x/../.. -- /bin/touch started',
  'a slot with a newline in its name': `--slot '/tmp/a
b' -- /bin/touch started`,
  'an option without its value': '--slot',
  'a record without a head': '--record /tmp/none/record -- /bin/touch started',
  'a record head with two spaces': "--record /tmp/none/r --record-head 'a  b' -- /bin/touch started",
  'a record head with a newline': `--record /tmp/none/r --record-head 'a
b' -- /bin/touch started`,
  'a result descriptor that is not open': '--result-fd 9 -- /bin/touch started',
  'a result descriptor that is stderr': '--result-fd 2 -- /bin/touch started',
  'a parent that is no process': '--parent 0 -- /bin/touch started',
  'nine control groups': `${'--cgroup /sys/fs/cgroup/none '.repeat(9)} -- /bin/touch started`,
  'a variable that is PATH': '--env PATH=/tmp -- /bin/touch started',
  'a variable that the loader reads': '--env LD_PRELOAD=/tmp/x.so -- /bin/touch started',
  'a way out for root': '--way-out 0:300000:300000:/tmp/none -- /bin/touch started',
  'a way out for one user': '--way-out 300000:300000:/tmp/none -- /bin/touch started',
  'a way out for nobody in particular': '--way-out 300000:4294967295:300000:/tmp/none -- /bin/touch started',
  'a way out without a folder': '--way-out 300000:300001:300001: -- /bin/touch started',
};

for (const [fault, args] of Object.entries(refused)) {
  test(`refuses ${fault} with status 125`, async (t) => {
    const scene = await setScene(t);
    const { exitCode, stderr } = await scene.play(`./run ${args}`);
    t.equal(exitCode, 125);
    t.match(stderr, /^sandbox: [^\n]+\n$/);
    t.notOk(scene.read('started') !== undefined, 'nothing was started');
  });
}

const required = ['--id', '--timeout-ms', '--idle-ms', '--grace-ms', '--stdout-max', '--stderr-max'];

function command(binary: string, values: Readonly<Record<string, string | undefined>>): string {
  const options = required
    .map((name) => ({ name, value: name in values ? values[name] : '1' }))
    .flatMap(({ name, value }) => (value === undefined ? [] : [name, `'${value}'`]));
  return [binary, ...options, '-- /bin/touch started'].join(' ');
}

test('refuses numbers that are not plain decimals in range', async (t) => {
  const scene = await setScene(t);
  const bad = ['', '-1', '+1', '1.5', '0x10', ' 1', '1s', '99999999999999999999', '18446744073709551617'];
  for (const name of required.slice(1)) {
    for (const value of bad) {
      const { exitCode, stderr } = await scene.play(command(scene.binary, { [name]: value }));
      t.equal(exitCode, 125, `${name} '${value}'`);
      t.equal(stderr, `sandbox: supervise: ${name} has a malformed value\n`);
    }
  }
  t.equal(scene.read('started'), undefined);
});

test('refuses each required option that is left out', async (t) => {
  const scene = await setScene(t);
  for (const name of required) {
    const { exitCode, stderr } = await scene.play(command(scene.binary, { [name]: undefined }));
    t.equal(exitCode, 125);
    t.equal(stderr, `sandbox: supervise: ${name} is missing\n`);
  }
  t.equal(scene.read('started'), undefined);
});

test('refuses ids outside [A-Za-z0-9_-]{1,64}', async (t) => {
  const scene = await setScene(t);
  for (const id of ['', 'a b', '../x', 'a/b', 'ä', 'x'.repeat(65)]) {
    const { exitCode } = await scene.play(command(scene.binary, { '--id': id }));
    t.equal(exitCode, 125, id);
  }
  t.equal(scene.read('started'), undefined);
});

test('a program that cannot be executed is our failure, 125, with the reason', async (t) => {
  const scene = await setScene(t);
  const missing = await scene.play('./run -- /nonexistent/program');
  t.equal(missing.exitCode, 125);
  t.equal(missing.stderr, 'sandbox: cannot execute /nonexistent/program: No such file or directory\n');
  const notExecutable = await scene.play('./run -- /etc/passwd');
  t.equal(notExecutable.exitCode, 125);
  t.equal(notExecutable.stderr, 'sandbox: cannot execute /etc/passwd: Permission denied\n');
});

test('a hostile name in a message is escaped', async (t) => {
  const scene = await setScene(t);
  const { stderr } = await scene.play(`./run -- "/nonexistent/$(printf 'a\\342\\200\\256b')"`);
  t.equal(stderr, 'sandbox: cannot execute /nonexistent/a\\xe2\\x80\\xaeb: No such file or directory\n');
});
