// Owns how each engine of the matrix is called in the proof of its cells. A new engine is one entry here.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MatrixName } from '../../../lib/engine/matrix.ts';
import { findTool } from '../../../lib/engine/tools.ts';
import {
  type Ended,
  install,
  type JsonResult,
  newId,
  type Scene,
  type Started,
  sandboxFile,
  sceneOf,
} from '../../system/scene.ts';
import type { Typed } from '../../system/typing.ts';
import { startDocker } from '../dockerScene.ts';
import { startRootless } from '../rootlessScene.ts';

export interface CellEngine {
  readonly name: MatrixName;
  readonly scene: Scene;
  /** bin/sandbox, where the engine can be had. */
  start(args: readonly string[]): Started;
  /** `sandbox run` of this engine to its end: what is told of it. */
  run(args: readonly string[], id?: string): Promise<Ended & { readonly result: JsonResult }>;
  /** The same as `run`, on a host with these lines of configuration. */
  runUnder(config: string, args: readonly string[]): Promise<JsonResult>;
  /** `sandbox run` on a terminal of 33 rows and 77 columns. */
  onTerminal(args: readonly string[]): Promise<Typed>;
  /** Words after `sandbox run` that choose it. */
  readonly chosen: readonly string[];
}

type Entry = { readonly needs: string } & Pick<CellEngine, 'chosen'> & {
    open(): Promise<Pick<CellEngine, 'scene' | 'start'> & { readonly config: string }>;
  };

const asPlainUser: Entry['open'] = async () => {
  const scene = sceneOf('plain user');
  return { scene, config: '', start: (args) => scene.spawn(sandboxFile, args) };
};

/** How each is called. */
export const entries: Readonly<Record<MatrixName, Entry>> = {
  crun: { needs: 'crun', chosen: ['--engine', 'crun'], open: asPlainUser },
  podman: { needs: 'podman', chosen: ['--engine', 'podman'], open: asPlainUser },
  docker: {
    needs: 'dockerd',
    chosen: ['--engine', 'docker'],
    open: async () => {
      const { start, socket } = await startDocker();
      return { scene: sceneOf('root'), start, config: `engines: { docker: { socket: ${socket} } }\n` };
    },
  },
  nerdctl: {
    needs: 'containerd',
    chosen: ['--engine', 'nerdctl'],
    open: async () => {
      // root's is shown by nerdctl.system.test.ts.
      const { start, scene, home } = await startRootless();
      const written = JSON.parse(readFileSync(join(home, 'etc', 'config.yaml'), 'utf8')) as { engines: object };
      return { scene, start, config: `engines: ${JSON.stringify(written.engines)}\n` };
    },
  },
  runsc: { needs: 'runsc', chosen: ['--isolation', 'gvisor'], open: asPlainUser },
  'podman+runsc': {
    needs: 'podman',
    chosen: ['--engine', 'podman', '--isolation', 'gvisor'],
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
  const { needs, chosen, open } = entries[name];
  if (findTool(needs) === undefined) throw new Error(`${needs} is missing: see bin/setup --tests`);
  const { scene, start, config } = await open();
  return {
    name,
    scene,
    chosen,
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
    run: async (args, id = newId()) => {
      const ended = await start(['run', '--json', '--id', id, ...chosen, ...args]).ended;
      if (ended.stdout === '') throw new Error(`${name}: ${ended.stderr}`);
      return { ...ended, result: JSON.parse(ended.stdout) as JsonResult };
    },
  };
}
