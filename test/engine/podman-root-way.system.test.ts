// Tests the way out of root's podman sandboxes with real packets; who may use their sockets: test/service/egress/others.system.test.ts.
import tap from 'tap';
import { makeWayScene } from '../service/egress/scene.ts';
import { declareNeeds } from '../system/needs.ts';
import { showKilled, showLiving, showReach } from './wayCases.ts';

declareNeeds('podman', 'squid', 'base-tools');
tap.setTimeout(600_000);

tap.test("root's podman sandboxes have a way out", async (t) => {
  const engine = { way: await makeWayScene(t, 'root'), chosen: ['--engine', 'podman'], isGone: async () => true };
  await t.test('what is listed is reached, and nothing else', (u) => showReach(u, engine));
  await t.test('SIGKILL leaves nothing', (u) => showKilled(u, engine));
  await t.test('one that lives on has a way as long as it lives', (u) => showLiving(u, engine));
});
