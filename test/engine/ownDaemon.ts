// Owns what the scenes of engines with a daemon share: a daemon of the test's own, and bin/sandbox under a host configuration that names it.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tap from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import {
  type Ended,
  type JsonResult,
  newId,
  type Options,
  type Scene,
  type Started,
  sandboxFile,
  sceneOf,
  until,
} from '../system/scene.ts';

/** An empty folder with the file etc/config.yaml, which others may pass; it goes at the end of the file. */
export function makeHome(name: string, config: (home: string) => string): string {
  const home = mkdtempSync(join(tmpdir(), `cofferdam-${name}-`));
  tap.teardown(() => rmSync(home, { recursive: true, force: true }));
  // Root inside may be a subordinate id, which must pass.
  chmodSync(home, 0o711);
  mkdirSync(join(home, 'etc'), { mode: 0o755 });
  writeFileSync(join(home, 'etc', 'config.yaml'), config(home), { mode: 0o644 });
  return home;
}

async function unmountBelow(folder: string): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) await runTool('umount', ['-l', point], { accept: [0, 32] });
}

export interface Daemon {
  /** Whose it is. Default root's. */
  readonly scene?: Scene;
  readonly command: readonly [string, ...string[]];
  /** Folder of all that it writes. */
  readonly home: string;
  /** Rejects until the daemon answers. */
  ask(): Promise<unknown>;
}

/** Starts it; it ends at the end of the file. Throws what it said when it does not answer. */
export async function startDaemon({
  scene = sceneOf('root'),
  command: [file, ...args],
  home,
  ask,
}: Daemon): Promise<Started> {
  const daemon = scene.spawn(file, args);
  tap.teardown(async () => {
    daemon.child.kill('SIGTERM');
    await daemon.ended;
    await unmountBelow(home);
  });
  const answers = async () =>
    ask().then(
      () => true,
      () => false,
    );
  for (let tries = 0; !(await answers()); tries++) {
    if (tries === 600 || daemon.child.exitCode !== null)
      throw new Error(`${file} does not answer: ${daemon.err().toString().slice(-2000)}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  return daemon;
}

export interface OwnEngine {
  /** The caller's, at our daemon. */
  readonly scene: Scene;
  /** bin/sandbox as the caller, with the host configuration of `home`. */
  start(args: readonly string[], options?: Options): Started;
  /** `sandbox run` of base-tools to its end; fails when anything of it is left after some seconds. */
  run(args: readonly string[], options?: Options): Promise<Ended>;
  runJson(args: readonly string[]): Promise<Ended & { readonly result: JsonResult }>;
  /** What is left of a run after some time, on the host or with the daemon: a line each. */
  listLeft(id: string): Promise<string[]>;
  /** Whether that is nothing. */
  isGone(id: string): Promise<boolean>;
}

export interface Own {
  readonly engine: string;
  /** Of `makeHome`. */
  readonly home: string;
  readonly scene: Scene;
  /** The daemon's containers of a run, '' when there are none. */
  containersOf(id: string): Promise<string>;
}

// root becomes the caller after it has put the configuration in place.
function asCaller({ uid, gid, env }: Scene, given: Options['env']): string[] {
  if (uid === 0) return [];
  const named = Object.entries({ ...env, ...given }).map(([name, value]) => `${name}=${value}`);
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', 'env', '-i', ...named];
}

/** bin/sandbox with an engine whose daemon is the test's own. */
export function ownEngine({ engine, home, scene, containersOf }: Own): OwnEngine {
  // Whatever is put over a folder in a mount namespace of its own is gone with the run, and nobody else's.
  const spawn: Scene['spawn'] = (file, args, options) =>
    sceneOf('root').spawn(
      'unshare',
      [
        ...['--mount', '--propagation', 'private', 'sh', '-eu', '-c'],
        `mount --bind ${join(home, 'etc')} /etc/cofferdam; exec "$@"`,
        ...['sh', ...asCaller(scene, options?.env), file, ...args],
      ],
      { cwd: scene.home, ...options },
    );
  const start: OwnEngine['start'] = (args, options) => spawn(sandboxFile, args, options);
  const listLeft = async (id: string) => {
    // Some time for the daemon, which removes what has ended in its own.
    await until(() => scene.traces(id).length === 0);
    const traces = scene.traces(id);
    if (traces.length > 0) return traces;
    for (let tries = 0; tries < 1200; tries++) {
      if ((await containersOf(id)) === '') return [];
      await new Promise((done) => setTimeout(done, 100));
    }
    return [`container ${await containersOf(id)}`];
  };
  const run: OwnEngine['run'] = async (args, options) => {
    const id = newId();
    const ended = await start(['run', '--engine', engine, '-p', 'base-tools', '--id', id, ...args], options).ended;
    const left = await listLeft(id);
    if (left.length > 0) throw new Error(`the run left: ${left.join(', ')}\n${ended.stderr}`);
    return ended;
  };
  const watch = new RegExp(`^process .*(${engine}-watch|${engine} .* (?:rm --force|run --name)) `);
  return {
    scene: {
      ...scene,
      // The watch of a run that was killed goes on for a second (lib/engine/daemon/watch.ts): isGone waits for it.
      traces: (id) => scene.traces(id).filter((line) => !watch.test(line)),
      sandbox: (args, options) => start(args, options).ended,
      // A command line that stays would look at the host's own configuration.
      call: (args) => start(args).ended,
      spawn,
    },
    start,
    run,
    listLeft,
    isGone: async (id) => (await listLeft(id)).length === 0,
    runJson: async (args) => {
      const ended = await run(['--json', ...args]);
      return { ...ended, result: JSON.parse(ended.stdout) as JsonResult };
    },
  };
}
