// Owns how each engine of the matrix is called in the proof of its cells. A new engine is one entry here.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MatrixName } from '../../../lib/engine/matrix.ts';
import { findTool } from '../../../lib/engine/tools.ts';
import { install, type JsonResult, type Scene, type Started, sandboxFile, sceneOf } from '../../system/scene.ts';
import type { Typed } from '../../system/typing.ts';
import { startDocker } from '../dockerScene.ts';
import { startRootless } from '../rootlessScene.ts';

export interface CellEngine {
  readonly name: MatrixName;
  readonly scene: Scene;
  /** bin/sandbox, where the engine can be had. */
  start(args: readonly string[]): Started;
  /** `sandbox run` of this engine to its end, on a host with these lines of configuration: what is told of it. */
  runUnder(config: string, args: readonly string[]): Promise<JsonResult>;
  /** `sandbox run` on a terminal of 33 rows and 77 columns. */
  onTerminal(args: readonly string[]): Promise<Typed>;
  /** Words after `sandbox run` that choose it. */
  readonly chosen: readonly string[];
  /** How many checks of verify hold at least. */
  readonly holds: number;
}

type Entry = { readonly needs: string } & Pick<CellEngine, 'chosen' | 'holds'> & {
    open(): Promise<Pick<CellEngine, 'scene' | 'start'> & { readonly config: string }>;
  };

const asPlainUser: Entry['open'] = async () => {
  const scene = sceneOf('plain user');
  return { scene, config: '', start: (args) => scene.spawn(sandboxFile, args) };
};

/** How each is called. */
export const entries: Readonly<Record<MatrixName, Entry>> = {
  crun: { needs: 'crun', chosen: ['--engine', 'crun'], holds: 250, open: asPlainUser },
  podman: { needs: 'podman', chosen: ['--engine', 'podman'], holds: 250, open: asPlainUser },
  docker: {
    needs: 'dockerd',
    chosen: ['--engine', 'docker'],
    holds: 220,
    open: async () => {
      const { start, socket } = await startDocker();
      return { scene: sceneOf('root'), start, config: `engines: { docker: { socket: ${socket} } }\n` };
    },
  },
  nerdctl: {
    needs: 'containerd',
    chosen: ['--engine', 'nerdctl'],
    holds: 245,
    open: async () => {
      // root's is shown by nerdctl.system.test.ts.
      const { start, scene, home } = await startRootless();
      const written = JSON.parse(readFileSync(join(home, 'etc', 'config.yaml'), 'utf8')) as { engines: object };
      return { scene, start, config: `engines: ${JSON.stringify(written.engines)}\n` };
    },
  },
  runsc: { needs: 'runsc', chosen: ['--isolation', 'gvisor'], holds: 230, open: asPlainUser },
  'podman+runsc': {
    needs: 'podman',
    chosen: ['--engine', 'podman', '--isolation', 'gvisor'],
    holds: 230,
    open: asPlainUser,
  },
};

// Gone with the process: nobody else sees this configuration.
const underConfig = `mount -t tmpfs -o mode=0755 tmpfs /etc/cofferdam
printf %s "$1" >/etc/cofferdam/config.yaml
shift
exec "$@"`;

function startUnder(scene: Scene, config: string, program: readonly string[]): Started {
  const { uid, gid, env } = scene;
  const who = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups'];
  const named = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = ['--mount', '--propagation', 'private', 'sh', '-euc', underConfig, 'sh', config];
  return sceneOf('root').spawn('unshare', [...words, ...who, 'env', '-i', ...named, ...program]);
}

/** Throws when its program is missing: a proof that is not made is no proof. */
export async function openEngine(name: MatrixName): Promise<CellEngine> {
  const { needs, chosen, holds, open } = entries[name];
  if (findTool(needs) === undefined) throw new Error(`${needs} is missing: see bin/setup --tests`);
  const { scene, start, config } = await open();
  return {
    name,
    scene,
    chosen,
    holds,
    start,
    runUnder: async (lines, args) => {
      const words = ['run', '--json', ...chosen, ...args];
      const { stdout, stderr } = await startUnder(scene, config + lines, [sandboxFile, ...words]).ended;
      if (stdout === '') throw new Error(`${name}: ${stderr}`);
      return JSON.parse(stdout) as JsonResult;
    },
    onTerminal: async (args) => {
      const typist = join(install, 'test/system/typist.py');
      const words = ['/usr/bin/python3', typist, '[]', sandboxFile, 'run', ...chosen, ...args];
      const { stdout, stderr } = await startUnder(scene, config === '' ? '{}' : config, words).ended;
      if (stdout === '') throw new Error(`${name}: ${stderr}`);
      return JSON.parse(stdout) as Typed;
    },
  };
}
