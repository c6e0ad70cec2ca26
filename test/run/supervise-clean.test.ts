// Owns what the supervisor writes and removes after a run: record, result, the engine's log, directory, slots.
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { fields, setScene } from './supervise-scene.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = ['root (a mount of its own, ids of others)'];

const record = '--record "$PWD/record" --record-head "v1 scene"';

test('the record is one line with all fields, private, appended, and the same as the result', async (t) => {
  const scene = await setScene(t);
  await scene.play(`./run ${record} --result-fd 7 -- /bin/sh -c 'echo abc; echo de >&2; exit 3' 7>result`);
  const line = scene.read('record');
  t.match(line, /^v1 scene [0-9]{13} [0-9]{13} 3 exited 4 3 -\n$/);
  t.equal(scene.read('result'), line);
  t.equal(lstatSync(join(scene.directory, 'record')).mode & 0o777, 0o600);
  await scene.play(`./run ${record} -- /bin/true`);
  t.equal(scene.read('record')?.split('\n').length, 3);
  t.ok(scene.read('record')?.startsWith(line ?? 'none'));
});

test('the program cannot write the result itself', async (t) => {
  const scene = await setScene(t);
  await scene.play("./run --result-fd 7 -- /bin/bash -c 'echo forged >&7' 7>result");
  t.match(scene.read('result'), /^[0-9]+ [0-9]+ 1 exited 0 [0-9]+ -\n$/);
});

test('refuses to start where the record cannot be opened', async (t) => {
  const scene = await setScene(t);
  symlinkSync('/tmp/elsewhere', join(scene.directory, 'link'));
  for (const path of ['$PWD/none/record', '$PWD', '$PWD/link']) {
    const { exitCode, stderr } = await scene.play(`./run --record "${path}" --record-head h -- /bin/touch started`);
    t.equal(exitCode, 125);
    t.match(stderr, /^sandbox: the record could not be written: /);
  }
  t.equal(scene.read('started'), undefined);
});

test('a record that does not fit on the disk is 125, even when the program succeeded', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stdout, stderr } = await scene.play(
    './run --record /dev/full --record-head h --result-fd 7 -- /bin/echo done 7>result',
  );
  t.equal(exitCode, 125);
  t.equal(stdout, 'done\n');
  t.equal(stderr, 'sandbox: the record could not be written: /dev/full: No space left on device\n');
  t.match(scene.read('result'), /^h [0-9]+ [0-9]+ 125 record 5 0 -\n$/);
});

test('half a line that a full disk left does not spoil the next record', async (t) => {
  const scene = await setScene(t);
  writeFileSync(join(scene.directory, 'record'), 'v1 scene 123');
  await scene.play(`./run ${record} -- /bin/true`);
  t.match(scene.read('record'), /^v1 scene 123\nv1 scene [0-9]+ [0-9]+ 0 exited 0 0 -\n$/);
});

test("an error in the engine's log is a failed launch: 125, the reason, the remedy", async (t) => {
  const scene = await setScene(t);
  const play = (lines: string, status: number) => {
    writeFileSync(join(scene.directory, 'log'), lines);
    return scene.play(`./run ${record} --log "$PWD/log" -- /bin/sh -c 'exit ${status}'`);
  };
  const failed = await play(
    '{"msg":"a \\"level\\":\\"error\\" in a message","level":"debug"}\n{"msg":"no `\\u001B[31m \u202e\\"q\\"`","level":"error","time":"x"}\n',
    1,
  );
  t.equal(failed.exitCode, 125);
  t.equal(failed.stderr, 'sandbox: cannot start the sandbox: no `\\u001B[31m \\xe2\\x80\\xae"q"`\n  sandbox doctor\n');
  t.equal(fields(scene.read('record'))[5], 'launch');
  t.equal((await play('{"msg":"noise","level":"warning"}\n', 1)).exitCode, 1);
  t.equal((await play('{"msg":"own clean-up","level":"error"}\n', 0)).exitCode, 0, 'the program succeeded');
  t.equal((await play('', 1)).exitCode, 1);
  t.equal((await play('{"level":"error', 1)).exitCode, 1, 'half a line is no error');
  t.ok((await play(`{"msg":"${'x'.repeat(9999)}","level":"error"}`, 1)).stderr.length < 500);
});

test('the run directory goes with all that a guest may put there, and nothing outside does', async (t) => {
  const scene = await setScene(t);
  const outside = join(scene.directory, 'outside');
  mkdirSync(join(outside, 'deep'), { recursive: true });
  writeFileSync(join(outside, 'file'), 'kept');
  writeFileSync(join(scene.directory, 'slot'), '');
  const { exitCode, stderr } = await scene.play(`
    mkdir -p dir/a/b dir/closed/in; cd dir
    ln -s "$PWD/../outside" link; ln -s ../../outside a/link; ln -s /etc a/b/etc; ln -s / root; ln -s . loop
    ln ../outside/file hard; mkfifo fifo; touch "$(printf 'new\\nline')" "$(printf '\\377')" -- -rf ' ' .deep-0
    mkdir .deep-1 && touch .deep-1/x; mknod null c 1 3; chattr +d hard 2>/dev/null || :
    chmod 000 closed/in closed; chown 12345 closed
    cd ..; ./run --run-dir "$PWD/dir" --slot "$PWD/slot" -- /bin/true`);
  t.equal(stderr, '');
  t.equal(exitCode, 0);
  t.notOk(existsSync(join(scene.directory, 'dir')));
  t.notOk(existsSync(join(scene.directory, 'slot')));
  t.equal(readFileSync(join(outside, 'file'), 'utf8'), 'kept');
  t.strictSame(readdirSync(outside).sort(), ['deep', 'file']);
});

test('a tree deeper than any path, and a wide one, are removed', async (t) => {
  const scene = await setScene(t);
  const { stderr } = await scene.play(`
    python3 - <<'EOF'
import os
os.makedirs('dir/wide')
for n in range(3000): open(f'dir/wide/{n}', 'w').close()
os.chdir('dir')
for n in range(4000):
    os.mkdir('d' * 100); os.mkdir('beside')
    os.chdir('d' * 100)
EOF
    ulimit -n 64
    ./run --run-dir "$PWD/dir" -- /bin/true`);
  t.equal(stderr, '');
  t.notOk(existsSync(join(scene.directory, 'dir')));
});

test('who takes away its own part of the run directory, or still adds to it, is in nobody’s way', async (t) => {
  const scene = await setScene(t);
  const { stderr } = await scene.play(`
    mkdir -p dir/theirs; (cd dir/theirs; seq 20000 | xargs touch)
    (until [ -e go ]; do :; done; rm -rf dir/theirs) & remover=$!
    (until [ -e go ]; do :; done; n=0; while [ $n -lt 300 ] && mkdir dir/new$n 2>/dev/null; do n=$((n + 1)); done) & adder=$!
    ./run --run-dir "$PWD/dir" -- /bin/touch go
    wait $remover $adder`);
  t.equal(stderr, '');
  t.notOk(existsSync(join(scene.directory, 'dir')));
});

test('refuses a run directory that is a link', async (t) => {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'outside'));
  writeFileSync(join(scene.directory, 'outside/file'), '');
  symlinkSync('outside', join(scene.directory, 'dir'));
  writeFileSync(join(scene.directory, 'slot'), '');
  const { exitCode, stderr } = await scene.play('./run --run-dir "$PWD/dir" --slot "$PWD/slot" -- /bin/true');
  t.equal(exitCode, 0, "the program's result stays");
  t.match(stderr, /cannot remove .*dir: .*\nsandbox: run scene was not cleaned up\n {2}sandbox gc\n$/);
  t.ok(existsSync(join(scene.directory, 'outside/file')));
  t.ok(existsSync(join(scene.directory, 'slot')), 'the slot stays while anything does');
});

test('refuses to enter a mount in the run directory, also of the same file system', async (t) => {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'outside'));
  writeFileSync(join(scene.directory, 'outside/file'), '');
  writeFileSync(join(scene.directory, 'slot'), '');
  const { stderr } = await scene.play(`
    mkdir -p dir/mounted dir/other
    unshare -m sh -c 'mount --bind outside dir/mounted; ./run --run-dir "$PWD/dir" --slot "$PWD/slot" -- /bin/true'`);
  t.match(stderr, /cannot remove .*dir: (Cross-device link|Resource busy)/);
  t.ok(existsSync(join(scene.directory, 'outside/file')));
  t.ok(existsSync(join(scene.directory, 'slot')));
  t.notOk(existsSync(join(scene.directory, 'dir/other')), 'the rest is gone');
});

test('clean-up happens whatever the end: timeout, no start, a program that is missing', async (t) => {
  const scene = await setScene(t);
  const endings = ['/bin/sleep 60', '/nonexistent', '/bin/false'];
  for (const program of endings) {
    await scene.play(
      `mkdir dir; touch slot other
      ./run --run-dir "$PWD/dir" --slot "$PWD/slot" --slot "$PWD/other" -- ${program}`,
      { timeout: 200 },
    );
    t.strictSame(readdirSync(scene.directory), ['run'], program);
  }
});

test('a slot that another run has taken is left to it', async (t) => {
  const scene = await setScene(t);
  for (const [name, text] of Object.entries({ own: 'scene\n', record: '1 scene 5 6\n', others: 'scene2\n' }))
    writeFileSync(join(scene.directory, name), text);
  const slots = ['own', 'record', 'others'].map((name) => `--slot "$PWD/${name}"`).join(' ');
  t.equal((await scene.play(`./run ${slots} -- /bin/true`)).exitCode, 0);
  t.strictSame(readdirSync(scene.directory).sort(), ['others', 'run']);
});
