// Owns the supervisor's --hold: the fifo is held while the program runs, by nobody else, and nothing starts when nobody reads it.
import { closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { setScene, until } from './supervise-scene.ts';

/** Whether somebody has the other end: EAGAIN, else the end of the file (fifo(7)). */
function isHeld(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) !== 0;
  } catch {
    return true;
  }
}

test('it is held as long as the program runs, also by a supervisor that is killed', async (t) => {
  const scene = await setScene(t);
  const file = join(scene.directory, 'held');
  await runTool('mkfifo', [file]);
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(fd));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    t.notOk(isHeld(fd), 'control');
    const script = `ls -l /proc/self/fd; echo up; exec sleep 60`;
    const child = scene.start([
      '--run-dir',
      join(scene.directory, signal),
      '--hold',
      file,
      '--',
      '/bin/sh',
      '-c',
      script,
    ]);
    t.ok(await until(() => child.output().includes('up')));
    t.ok(isHeld(fd));
    t.notMatch(child.output(), /held/, 'the program has no part in it');
    child.kill(signal);
    await child.ended;
    t.ok(await until(() => !isHeld(fd)));
  }
});

test('refuses to start without a reader, and what is no fifo', async (t) => {
  const scene = await setScene(t);
  await runTool('mkfifo', [join(scene.directory, 'unread')]);
  writeFileSync(join(scene.directory, 'file'), '');
  for (const [name, why] of [
    ['unread', /is closed already: No such device or address/],
    ['file', /is closed already: it is no fifo/],
    ['missing', /is closed already: No such file/],
  ] as const) {
    const run = `./run --make --run-dir "$PWD/run-dir" --hold "$PWD/${name}" -- /bin/touch started`;
    const { exitCode, stderr } = await scene.play(run);
    t.equal(exitCode, 125);
    t.match(stderr, why);
    t.equal(scene.read('started'), undefined);
  }
});
