// Tests the way out of docker's sandboxes with real packets: a daemon of the test's own, where the internet is.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { makeWayScene, type WayScene } from '../service/egress/scene.ts';
import { declareNeeds } from '../system/needs.ts';
import { makeHome, startDaemon } from './ownDaemon.ts';
import { showWayOut } from './wayCases.ts';

declareNeeds('docker', 'squid', 'base-tools');
tap.setTimeout(900_000);

/** Starts it; gives `docker ARGUMENTS` at it: what it prints. */
async function startDocker({ around, config }: WayScene): Promise<(...args: string[]) => Promise<string>> {
  const home = makeHome('docker-way', (folder) =>
    JSON.stringify({ engines: { docker: { socket: join(folder, 'socket') } } }),
  );
  writeFileSync(join(config, 'config.yaml'), readFileSync(join(home, 'etc/config.yaml')));
  for (const name of ['data', 'exec']) mkdirSync(join(home, name), { mode: 0o755 });
  writeFileSync(join(home, 'daemon.json'), '{}');
  const docker = async (...args: string[]) =>
    (await runTool('docker', ['--host', `unix://${home}/socket`, ...args], { timeoutMs: 20_000 })).stdout;
  await startDaemon({
    command: [
      '/usr/bin/env',
      ...around,
      ...[
        'dockerd',
        '--host',
        `unix://${home}/socket`,
        '--data-root',
        join(home, 'data'),
        '--exec-root',
        join(home, 'exec'),
      ],
      ...['--pidfile', join(home, 'pid'), '--config-file', join(home, 'daemon.json'), '--userns-remap=cofferdam'],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
    ],
    home,
    ask: () => docker('version'),
  });
  return docker;
}

tap.test("docker's sandboxes have a way out", async (t) => {
  const way = await makeWayScene(tap, 'root');
  const docker = await startDocker(way);
  const isGone = async (id: string) => {
    // The daemon removes what has ended in its own time.
    for (let look = 0; look < 1200; look++) {
      if ((await docker('ps', '--all', '--quiet', '--filter', `label=cofferdam.run=${id}`)) === '') return true;
      await new Promise((done) => setTimeout(done, 100));
    }
    return false;
  };
  await showWayOut(t, { way, chosen: ['--engine', 'docker'], isGone });
});
