// Owns a docker daemon of a test's own, on its own socket and data, and bin/sandbox run under a host configuration that names it.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tap from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { findTool } from '../../lib/engine/tools.ts';
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

export interface DockerScene {
  readonly socket: string;
  /** Below it lies all that the daemon has. */
  readonly home: string;
  /** Kills the daemon, which then cleans up nothing; whoever it started is left to itself. */
  killDaemon(): Promise<void>;
  /** `docker ARGUMENTS` at our daemon: what it prints. */
  docker(...args: string[]): Promise<string>;
  /** That of root, whose bin/sandbox has our host configuration. */
  readonly scene: Scene;
  /** bin/sandbox as root, with our host configuration. */
  start(args: readonly string[], options?: Options): Started;
  /** `sandbox run --engine docker` of base-tools to its end; fails when anything of it is left after two seconds. */
  run(args: readonly string[], options?: Options): Promise<Ended>;
  runJson(args: readonly string[]): Promise<Ended & { readonly result: JsonResult }>;
  /** Whether nothing of the run is left: on the host and with the daemon. */
  isGone(id: string): Promise<boolean>;
}

const scene = sceneOf('root');

function requireDaemon(): string {
  const file = findTool('dockerd');
  if (file === undefined) throw new Error('dockerd is missing: apt-get install docker.io');
  return file;
}

// Whatever is put over a folder in a mount namespace of its own is gone with the run, and nobody else's.
function underConfig(etc: string, program: readonly string[], options?: Options): Started {
  const words = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-eu',
    '-c',
    `mount --bind ${etc} /etc/cofferdam; exec "$@"`,
  ];
  return scene.spawn('unshare', [...words, 'sh', ...program], options);
}

async function unmountBelow(folder: string): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) await runTool('umount', ['-l', point], { accept: [0, 32] });
}

/** Starts dockerd with `extra` options; it ends, and all it wrote goes, at the end of the file. Throws when it does not answer. */
export async function startDocker(extra: readonly string[] = ['--userns-remap=cofferdam']): Promise<DockerScene> {
  const home = mkdtempSync(join(tmpdir(), 'cofferdam-docker-'));
  // Root inside is a subordinate id, which must pass.
  chmodSync(home, 0o711);
  const [socket, etc] = [join(home, 'docker.sock'), join(home, 'etc')];
  const folders = [join(home, 'data'), join(home, 'exec'), etc];
  for (const folder of folders) mkdirSync(folder, { mode: 0o755 });
  writeFileSync(join(home, 'daemon.json'), '{}');
  writeFileSync(join(etc, 'config.yaml'), `engines:\n  docker:\n    socket: ${socket}\n`, { mode: 0o644 });
  const [data = '', exec = ''] = folders;
  const daemon = scene.spawn(requireDaemon(), [
    ...['--host', `unix://${socket}`, '--data-root', data, '--exec-root', exec, '--pidfile', join(home, 'pid')],
    ...['--config-file', join(home, 'daemon.json')],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false', ...extra],
  ]);
  tap.teardown(async () => {
    daemon.child.kill('SIGTERM');
    await daemon.ended;
    await unmountBelow(home);
    rmSync(home, { recursive: true, force: true });
  });
  const docker = async (...args: string[]) =>
    (await runTool('docker', ['--host', `unix://${socket}`, ...args], { timeoutMs: 20_000 })).stdout;
  const answers = async () =>
    docker('version').then(
      () => true,
      () => false,
    );
  for (let tries = 0; !(await answers()); tries++) {
    if (tries === 100 || daemon.child.exitCode !== null)
      throw new Error(`dockerd does not answer: ${daemon.err().toString().slice(-2000)}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  const start: DockerScene['start'] = (args, options) => underConfig(etc, [sandboxFile, ...args], options);
  const containersOf = (id: string) => docker('ps', '--all', '--quiet', '--filter', `label=cofferdam.run=${id}`);
  const isGone = async (id: string) => {
    // Two seconds for the daemon, which removes what has ended in its own time.
    const gone = await until(() => scene.traces(id).length === 0, 3);
    for (let tries = 0; tries < 20 && (await containersOf(id)) !== ''; tries++)
      await new Promise((done) => setTimeout(done, 100));
    return gone && (await containersOf(id)) === '';
  };
  const run: DockerScene['run'] = async (args, options) => {
    const id = newId();
    const ended = await start(['run', '--engine', 'docker', '-p', 'base-tools', '--id', id, ...args], options).ended;
    if (!(await isGone(id))) throw new Error(`the run left: ${scene.traces(id).join(', ')} ${await containersOf(id)}`);
    return ended;
  };
  return {
    socket,
    home,
    killDaemon: async () => {
      daemon.child.kill('SIGKILL');
      await daemon.ended;
    },
    docker,
    scene: {
      ...scene,
      // The watch of a run that was killed goes on for a second (lib/engine/daemon/watch.ts): isGone waits for it.
      traces: (id) => scene.traces(id).filter((line) => !/^process .*(docker-watch|docker .* rm --force) /.test(line)),
      sandbox: (args, options) => start(args, options).ended,
      spawn: (file, args, options) => underConfig(etc, [file, ...args], options),
    },
    start,
    run,
    isGone,
    runJson: async (args) => {
      const ended = await run(['--json', ...args]);
      return { ...ended, result: JSON.parse(ended.stdout) as JsonResult };
    },
  };
}
