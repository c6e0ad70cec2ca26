// Owns the proof that a run killed at any step leaves nothing: one real SIGKILL before each call by which the launcher, the
// supervisor, the runtime or init changes the host, of that process itself and of the first one, which the caller sees: in turn
// by root and by the plain user.
// The steps are found by tracing. Of equal calls in a row on one folder the first stands for all (the mounts of one
// sandbox are seventy). Ways with Node above: killed-at-node.system.test.ts.
import tap from 'tap';
import { runGauntlet, type Way, warmUp } from './gauntlet.ts';
import { distinctSteps, lastingWords, pointsMidRun, pointsOf, shareOf, traceSteps } from './killPoints.ts';
import { makeLoneHost } from './loneHost.ts';
import { declareNeeds } from './needs.ts';
import { install } from './scene.ts';

// A busy machine takes several times what an idle one does.
tap.setTimeout(1_800_000);
declareNeeds('crun', 'unshare', 'ip', 'base-tools');

const short: Way = {
  // What comes after the program needs one that ends; before, nothing of a survivor may end by itself.
  words: (id, point) => lastingWords(install, id, point?.ends === true ? 15 : 0.05),
};

for (const caller of ['root', 'plain user'] as const) {
  tap.test(`a SIGKILL at every step of a run leaves nothing (${caller})`, { timeout: 1_200_000 }, async (t) => {
    const host = await makeLoneHost(caller);
    const before = await warmUp(host, short);
    const steps = await traceSteps(host, lastingWords(install, host.newId(), 0.05));
    t.notOk(
      steps.some(({ command }) => command === 'MainThread'),
      'this is the short way',
    );
    const shared = shareOf(pointsOf(distinctSteps(steps)), caller === 'root' ? 0 : 1);
    const points = [...shared, ...pointsMidRun(steps)];
    const begin = Date.now();
    const reached = await runGauntlet(t, { host, way: short, points, before });
    t.comment(`${steps.length} steps, ${points.length} points, ${reached} reached, ${Date.now() - begin} ms`);
    t.ok(points.length > 0 && reached >= points.length * 0.9, `${reached} of ${points.length} points were reached`);
  });
}
