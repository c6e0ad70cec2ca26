// Tests the way out of nerdctl's sandboxes with real packets: a containerd of the test's own, where the internet is.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { makeWayScene } from '../service/egress/scene.ts';
import { declareNeeds } from '../system/needs.ts';
import { startContainerd } from './nerdctlScene.ts';
import { showWayOut } from './wayCases.ts';

declareNeeds('crun', 'squid', 'base-tools');
tap.setTimeout(900_000);

tap.test("nerdctl's sandboxes have a way out", async (t) => {
  const way = await makeWayScene(tap, 'root');
  const { home, isGone } = await startContainerd(way.around);
  writeFileSync(join(way.config, 'config.yaml'), readFileSync(join(home, 'etc/config.yaml')));
  await showWayOut(t, { way, chosen: ['--engine', 'nerdctl'], isGone });
});
