// Tests the way out of root's podman sandboxes with real packets; who may use their sockets: test/service/egress/others.system.test.ts.
import tap from 'tap';
import { makeWayScene } from '../service/egress/scene.ts';
import { declareNeeds } from '../system/needs.ts';
import { showCallersWay } from './wayCases.ts';

declareNeeds('podman', 'squid', 'base-tools');
tap.setTimeout(600_000);

tap.test("root's podman sandboxes have a way out", async (t) => {
  await showCallersWay(t, {
    way: await makeWayScene(t, 'root'),
    chosen: ['--engine', 'podman'],
    isGone: async () => true,
  });
});
