// Owns what stands around the run of a sandbox that lives on: who must have started it, and what the supervisor becomes.
import { test } from 'tap';
import { setScene } from './supervise-scene.ts';

test('starts nothing for a starter that is not its parent any more', async (t) => {
  const scene = await setScene(t);
  const mine = await scene.play('exec ./run --starter $PPID -- /bin/touch started');
  t.match(mine, { exitCode: 0 });
  t.equal(scene.read('started'), '');
  const other = await scene.play('./run --starter 1 -- /bin/touch other');
  t.equal(other.exitCode, 143);
  t.equal(scene.read('other'), undefined);
});

test('becomes a script when the record is written and all is gone, with signals unblocked and nothing in its environment', async (t) => {
  const scene = await setScene(t);
  const script = `
printf '%s\\n' '[ -e made ] || echo gone; grep -c . record; grep ^SigBlk /proc/self/status; env | grep -v ^PWD= | sort; exit 9' >after
exec ./run --make --run-dir "$PWD/made" --record "$PWD/record" --record-head '1 scene x - -' --afterwards "$PWD/after" -- /bin/echo ran`;
  const { exitCode, stdout } = await scene.play(script);
  t.equal(exitCode, 9);
  t.match(stdout, /^ran\ngone\n1\nSigBlk:\t0{16}\nPATH=[^\n]*\n(_=.*\n)?$/);
});

test('a script that is not there is told, and the status stays', async (t) => {
  const scene = await setScene(t);
  const ended = await scene.play('exec ./run --afterwards /no/such -- /bin/sh -c "exit 3"');
  t.not(ended.exitCode, 0);
  t.match(ended.stderr, /\/no\/such/);
});
