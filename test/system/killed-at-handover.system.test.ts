// Owns the proof that a run killed while its sandbox changes hands leaves nothing: one real SIGKILL before each step from the
// runtime to the supervisor (docs/decisions/0042-no-runtime-waits.md), of each who takes part in it.
import tap from 'tap';
import { runGauntlet, type Way, warmUp } from './gauntlet.ts';
import { lastingWords, pointsOfHandover, traceSteps } from './killPoints.ts';
import { makeLoneHost } from './loneHost.ts';
import { declareNeeds } from './needs.ts';
import { install } from './scene.ts';

tap.setTimeout(1_800_000);
declareNeeds('crun', 'unshare', 'ip', 'base-tools');

const way: Way = { words: (id, point) => lastingWords(install, id, point === undefined ? 0.05 : 120) };

for (const caller of ['root', 'plain user'] as const) {
  tap.test(`a SIGKILL while a sandbox changes hands leaves nothing (${caller})`, { timeout: 1_200_000 }, async (t) => {
    const host = await makeLoneHost(caller);
    const before = await warmUp(host, way);
    // Long enough for a slow machine to have done it all.
    const points = pointsOfHandover(await traceSteps(host, lastingWords(install, host.newId(), 5)));
    t.same(
      points.filter(({ victim }) => victim === '0').map(({ call }) => call),
      ['pidfd_send_signal', 'pidfd_send_signal', 'pidfd_send_signal', 'prctl', 'prctl'],
      'told, stopped, let go; and init asks twice',
    );
    const reached = await runGauntlet(t, { host, way, points, before });
    t.equal(reached, points.length);
  });
}
