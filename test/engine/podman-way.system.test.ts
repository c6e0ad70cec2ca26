// Tests the way out of podman's sandboxes with real packets.
import tap from 'tap';
import { makeWayScene } from '../service/egress/scene.ts';
import { declareNeeds } from '../system/needs.ts';
import { showWayOut } from './wayCases.ts';

declareNeeds('podman', 'squid', 'base-tools');
tap.setTimeout(900_000);

tap.test("podman's sandboxes have a way out", async (t) => {
  const way = await makeWayScene(t);
  // Its containers are processes, and a store that goes with the run's folder.
  await showWayOut(t, { way, chosen: ['--engine', 'podman'], isGone: async () => true });
});
