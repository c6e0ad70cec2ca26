// Owns the promises of cancelling: the child gets the signal that the person sent, and an error says who ended it.
import { test } from 'tap';
import { streamTool, systemPath } from '../../lib/base/exec.ts';
import { cancelOn, endedBy } from '../../lib/run/cancel.ts';

function startSleep() {
  const none = () => undefined;
  return streamTool('sleep', ['1000'], { env: { PATH: systemPath }, stdin: 'ignore', stdout: none, stderr: none });
}

test('a child is ended by the signal that was sent, also when it came first; by TERM for any other reason', async (t) => {
  for (const [reason, expected] of [
    ['SIGINT', 'SIGINT'],
    ['SIGHUP', 'SIGHUP'],
    [undefined, 'SIGTERM'],
    ['SIGKILL', 'SIGTERM'],
  ]) {
    const controller = new AbortController();
    const child = startSleep();
    cancelOn(controller.signal, child);
    controller.abort(reason);
    t.match(await child.ended, { signal: expected }, String(reason));
    const late = startSleep();
    cancelOn(controller.signal, late);
    t.match(await late.ended, { signal: expected }, 'aborted before');
  }
});

test('what was let go of is not ended', async (t) => {
  const controller = new AbortController();
  const sent: string[] = [];
  const release = cancelOn(controller.signal, { kill: (signal) => void sent.push(signal) });
  release();
  controller.abort('SIGINT');
  t.same(sent, []);
});

test('what ended without a word was cancelled by us, or lost to others', async (t) => {
  const controller = new AbortController();
  t.match(endedBy('the run r1', 'SIGKILL', controller.signal), {
    code: 'RUN_LOST',
    message: 'the run r1 was ended from outside by SIGKILL',
  });
  controller.abort('SIGINT');
  t.match(endedBy('the run r1', 'SIGINT', controller.signal), {
    code: 'CANCELLED',
    message: 'the run r1 was cancelled',
  });
});
