// Owns the supervisor's relays: what of the guest's output reaches the caller, whole, in order and bounded.
import { test } from 'tap';
import { fields, setScene } from './supervise-scene.ts';

const record = '--record "$PWD/record" --record-head h';

test('stdout, stderr and the exit status pass through apart', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stdout, stderr } = await scene.play("./run -- /bin/sh -c 'echo out; echo err >&2; exit 7'");
  t.equal(exitCode, 7);
  t.equal(stdout, 'out\n');
  t.equal(stderr, 'err\n');
});

test('stdin is at its end unless it is asked for', async (t) => {
  const scene = await setScene(t);
  t.equal((await scene.play('echo text | ./run -- /bin/cat')).stdout, '');
  t.equal((await scene.play('echo text | ./run --stdin -- /bin/cat')).stdout, 'text\n');
  t.equal((await scene.play('./run --stdin -- /bin/cat </dev/null')).stdout, '');
});

test('the program gets pipes for 0 to 2, no other descriptor, a plain environment and default signals', async (t) => {
  const scene = await setScene(t);
  const { stdout } = await scene.play(`
    exec 5>open 9<run
    SECRET=x ./run --env TERM=dumb -- /bin/sh -c '
      ls -l /proc/self/fd | sed -n "s/.* \\([0-9]*\\) -> \\([a-z]*\\):.*/\\1 \\2/p"; ls /proc/self/fd | wc -l
      tr "\\0" "\\n" </proc/$$/environ
      grep -E "^(SigBlk|SigIgn|SigCgt)" /proc/$$/status | sort -u; umask' </dev/null`);
  t.equal(
    stdout,
    [
      '0 pipe\n1 pipe\n4',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=dumb',
      'SigBlk:\t0000000000000000',
      'SigCgt:\t0000000000010002',
      'SigIgn:\t0000000000000000\n0022\n',
    ]
      .join('\n')
      .replace('1 pipe\n4', '1 pipe\n2 pipe\n4'),
  );
});

test('200 MB on each stream at once arrive byte for byte', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stdout } = await scene.play(`
    mkfifo errors
    want=$(seq 30000000 | head -c 200000000 | sha256sum)
    sha256sum <errors >errors.sum &
    got=$(./run ${record} -- /bin/sh -c 'seq 30000000 | head -c 200000000 & seq 30000000 | head -c 200000000 >&2; wait' \\
      2>errors | sha256sum)
    wait
    [ "$want" = "$got" ] && [ "$want" = "$(cat errors.sum)" ] && echo same`);
  t.equal(exitCode, 0);
  t.equal(stdout, 'same\n');
  t.strictSame(fields(scene.read('record')).slice(-4), ['exited', '200000000', '200000000', '-']);
});

test('20 MB of input arrive byte for byte', async (t) => {
  const scene = await setScene(t);
  const { stdout } = await scene.play(`
    head -c 20000000 /dev/urandom >input
    ./run --stdin -- /bin/cat <input | cmp - input && echo same; rm input`);
  t.equal(stdout, 'same\n');
});

test('a bound passes that many bytes, marks the stream and lets the program go on', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stdout, stderr } = await scene.play(
    `./run ${record} -- /bin/sh -c 'head -c 5000000 /dev/zero; echo end >&2; exit 3' | wc -c; cat record`,
    { out: 1000, err: 100 },
  );
  t.equal(exitCode, 0);
  t.equal(stdout.split('\n')[0], '1000');
  t.equal(stderr, 'end\n');
  t.strictSame(fields(scene.read('record')).slice(-5), ['3', 'exited', '5000000', '4', 'o']);
});

test('output of exactly the bound is not marked', async (t) => {
  const scene = await setScene(t);
  await scene.play(`./run ${record} -- /bin/sh -c 'printf 12345; printf 123456 >&2'`, { out: 5, err: 5 });
  t.equal(fields(scene.read('record')).at(-1), 'e');
});

test('a cut never splits a character, wherever it falls and however the bytes come', async (t) => {
  const scene = await setScene(t);
  const text = 'aé€😀b😀';
  const bytes = Buffer.from(text);
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  const whole = `printf '${octal.join('')}'`;
  const single = octal.map((byte) => `printf '${byte}'; read -t 0.01 x <>fifo`).join('; ');
  await scene.play('mkfifo fifo');
  for (let bound = 1; bound <= bytes.length; bound++) {
    let want = '';
    for (const character of text)
      if (Buffer.byteLength(want + character) <= bound) want += character;
      else break;
    const fast = await scene.play(`./run -- /bin/sh -c "${whole}"`, { out: bound });
    t.equal(fast.stdout, want, `cut at ${bound}`);
    const slow = await scene.play(`./run -- /bin/bash -c "${single}"`, { out: bound });
    t.equal(slow.stdout, want, `cut at ${bound}, byte by byte`);
  }
});

test('bytes that are no UTF-8 pass unchanged', async (t) => {
  const scene = await setScene(t);
  const show = async (bytes: string, out: number) =>
    (await scene.play(`./run -- /bin/sh -c "printf '${bytes}'" | od -An -v -tx1`, { out })).stdout.trim();
  t.equal(await show('\\377\\300\\200\\355\\240\\200abc', 0), 'ff c0 80 ed a0 80 61 62 63');
  t.equal(await show('\\377\\376\\200\\200\\200\\200\\200', 6), 'ff fe 80 80 80 80', 'lone continuation bytes');
  t.equal(await show('a\\355\\240\\200b', 3), '61 ed a0', 'half a surrogate is no sequence');
  t.equal(await show('a\\340\\200\\200b', 3), '61 e0 80', 'nor is an overlong form');
  t.equal(await show('a\\303', 9), '61 c3', 'an unfinished character at the end of the output');
  t.equal(await show('a\\303', 2), '61 c3', 'also when it ends at the bound');
});

test('a caller that closes its pipe early ends the program as its own pipe would', async (t) => {
  const scene = await setScene(t);
  const { stdout } = await scene.play('{ ./run -- /usr/bin/yes; echo $? >status; } | head -c 1');
  t.equal(stdout, 'y');
  t.equal(scene.read('status'), '141\n');
});

test('a stream has a thread of ours only while something comes', async (t) => {
  const scene = await setScene(t);
  const { stdout, stderr } = await scene.play(`./run -- /bin/sh -c '
    silent() { n=0; while [ $(ls /proc/$PPID/task | wc -l) -gt 1 ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done; [ $n -lt 600 ]; }
    silent && echo a && echo b >&2 && silent && echo c && silent && echo d >&2 && echo e'`);
  t.equal(stdout, 'a\nc\ne\n');
  t.equal(stderr, 'b\nd\n');
});

test('a program that closes stdout goes on', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stdout, stderr } = await scene.play(
    "./run -- /bin/sh -c 'echo first; exec >&-; sleep 0.3; echo later >&2; exit 4'",
  );
  t.equal(exitCode, 4);
  t.equal(stdout, 'first\n');
  t.equal(stderr, 'later\n');
});

test('closed descriptors of the caller stay closed for the program and are never reused', async (t) => {
  const scene = await setScene(t);
  const { stderr } = await scene.play('./run -- /usr/bin/yes >&-; echo $? >&2');
  t.equal(stderr, '141\n');
  const all = await scene.play(
    `./run ${record} --stdin -- /bin/sh -c 'cat; echo x; exit 9' <&- >&- 2>&-; echo $? >status`,
  );
  t.equal(all.exitCode, 0);
  t.equal(scene.read('status'), '9\n');
  t.match(scene.read('record'), /^h [0-9]+ [0-9]+ 9 exited 2 0 -\n$/, 'no output of the program in our own files');
});

test('output that cannot be written is a failure, not a silent loss', async (t) => {
  const scene = await setScene(t);
  const { exitCode, stderr } = await scene.play(`./run ${record} -- /bin/echo text >/dev/full`);
  t.equal(exitCode, 125);
  t.equal(stderr, "sandbox: the program's stdout could not be written: No space left on device\n");
  t.equal(fields(scene.read('record')).at(-4), 'output');
});

test('a process that outlives the program and holds the pipe does not hold the caller', async (t) => {
  const scene = await setScene(t);
  // The program waits until the other has left its process group: what is still in it ends with it.
  const apart = (rest: string) => `setsid sh -c "echo \\$\\$ >pid; ${rest}" & until [ -s pid ]; do :; done`;
  const silent = await scene.play(
    `./run -- /bin/sh -c '${apart('exec sleep 60')}; cat pid; rm pid; exit 5'; echo $? >status`,
  );
  t.equal(scene.read('status'), '5\n');
  process.kill(Number(silent.stdout), 'SIGKILL');
  const noisy = await scene.play(
    `./run -- /bin/sh -c '${apart('exec yes')}; exit 6' >/dev/null; echo $?; kill -9 "$(cat pid)"`,
  );
  t.equal(noisy.stdout, '6\n');
});

test('a pipe that the program enlarged reaches a slow reader whole', async (t) => {
  const scene = await setScene(t);
  const enlarge = 'import fcntl,os\nfcntl.fcntl(1,1031,1<<20)\nos.write(1,b"x"*900000)';
  const { stdout } = await scene.play(`./run ${record} -- /usr/bin/python3 -c '${enlarge}' | { sleep 0.6; wc -c; }`);
  t.equal(stdout, '900000\n');
  t.equal(fields(scene.read('record')).at(-1), '-');
});

test('a terminal stays with the person: the program has none and a limit is told in one line', async (t) => {
  const scene = await setScene(t);
  await scene.play(
    'script -qec \'./run -- /bin/sh -c "tty; (: </dev/tty) 2>/dev/null || echo none; exec sleep 60"\' /dev/null >typescript </dev/null',
    { timeout: 500 },
  );
  t.equal(scene.read('typescript'), 'not a tty\r\nnone\r\nsandbox: stopped after 0.5 s (timeout)\r\n');
});
