// Tests the supervisor's --way-out: two users get to the socket and nobody else does, and nothing is given away that is no way out.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { setScene } from './supervise-scene.ts';

const [runtime, program, other] = [300_000, 300_001, 300_002];
const named = `${runtime}:${program}:${program}`;

/** A folder that everybody passes, with a short path. */
function makePassed(t: Test): string {
  const folder = mkdtempSync('/run/cft-way-');
  chmodSync(folder, 0o711);
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A folder with a socket that is listened to, as the bridge leaves it. */
async function makeWay(t: Test, folder: string): Promise<void> {
  mkdirSync(folder, { mode: 0o700 });
  const server = createServer();
  await new Promise<void>((done) => server.listen(join(folder, 'proxy.sock'), done));
  t.teardown(() => server.close());
  chmodSync(join(folder, 'proxy.sock'), 0o660);
}

const knock = `import socket, sys
try: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('reached')
except OSError as fault: print(type(fault).__name__)`;

async function reach(uid: number, path: string): Promise<string> {
  const words = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'python3', '-c', knock, path];
  return (await runTool('setpriv', words)).stdout.trim();
}

test('the two users connect, also to a socket that is made anew, and nobody else does', async (t) => {
  const scene = await setScene(t);
  const way = join(makePassed(t), 'way');
  const socket = join(way, 'proxy.sock');
  await makeWay(t, way);
  for (const uid of [runtime, program]) t.equal(await reach(uid, socket), 'PermissionError', 'control: not before');
  const { exitCode, stderr } = await scene.play(
    `./run --make --run-dir "$PWD/r" --way-out ${named}:${way} -- /bin/true`,
  );
  t.equal(exitCode, 0, stderr);
  for (const uid of [runtime, program]) t.equal(await reach(uid, socket), 'reached');
  t.equal(await reach(other, socket), 'PermissionError');
  renameSync(socket, join(way, 'old'));
  const again = createServer();
  await new Promise<void>((done) => again.listen(socket, done));
  t.teardown(() => again.close());
  chmodSync(socket, 0o660);
  t.equal(await reach(program, socket), 'reached', 'a later bridge');
  t.equal(await reach(other, socket), 'PermissionError');
});

test('refuses what is no way out, and gives nothing away', async (t) => {
  const scene = await setScene(t);
  const passed = makePassed(t);
  const at = (name: string) => join(passed, name);
  await makeWay(t, at('way'));
  symlinkSync('way', at('link'));
  mkdirSync(at('file'));
  writeFileSync(at('file/proxy.sock'), '');
  mkdirSync(at('linked'));
  symlinkSync('../way/proxy.sock', at('linked/proxy.sock'));
  await makeWay(t, at('owned'));
  chownSync(at('owned/proxy.sock'), other, other);
  for (const name of ['link', 'file', 'linked', 'owned', 'missing']) {
    const ended = await scene.play(
      `./run --make --run-dir "$PWD/r" --way-out ${named}:${at(name)} -- /bin/touch started`,
    );
    t.equal(ended.exitCode, 125, name);
    t.match(ended.stderr, /cannot be given to the sandbox alone/);
    t.equal(scene.read('started'), undefined);
    t.equal(scene.read('r/log'), undefined, 'and nothing is left');
  }
  t.equal(statSync(at('way')).mode & 0o777, 0o700);
  t.equal(await reach(program, at('way/proxy.sock')), 'PermissionError');
});
