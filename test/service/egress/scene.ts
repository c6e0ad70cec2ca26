// Owns the stage of the way out's tests: a small internet in namespaces, and a plain user whose sandboxes have a way to it.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { reachDaemon } from '../../../lib/service/egress/client.ts';
import { type EgressFolders, egressFolders } from '../../../lib/service/egress/folders.ts';
import { statusSchema } from '../../../lib/service/egress/protocol.ts';
import { addresses, makeWorld, type Owner, type World } from '../../firewall/world.ts';
import { type Ended, type Scene, type Started, sandboxFile, sceneOf, until } from '../../system/scene.ts';
import { makeApart } from './apart.ts';
import { makeOffers } from './offers.ts';

export const [one, two] = ['one.example.org', 'two.example.org'] as const;

export interface WayScene {
  readonly scene: Scene;
  readonly world: World;
  /** A folder with `ca.pem`, for --workspace. */
  readonly workspace: string;
  /** Where the daemon's sockets are, as we see them. */
  readonly folders: EgressFolders;
  /** Folder of the policy, as we see it. */
  readonly config: string;
  /** Words before a program that bring it to the internet and to these folders. */
  readonly around: readonly string[];
  /** Options of `run`: a way out, and trust in the test's authority. */
  readonly options: readonly string[];
  writePolicy(text: string): void;
  removePolicy(): void;
  /** A program of the caller's where the internet is. */
  spawn(file: string, ...words: string[]): Started;
  /** bin/sandbox there. */
  start(...words: string[]): Started;
  sandbox(...words: string[]): Promise<Ended>;
  status(): Promise<ReturnType<typeof statusSchema.parse> | undefined>;
  /** Lines of the log of what came to the proxy. */
  log(): readonly {
    readonly run: string;
    readonly host: string;
    readonly result: string;
    readonly tool: string | null;
  }[];
}

const trust = ['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'GIT_SSL_CAINFO', 'PIP_CERT'];

/** Text of a policy that asks the internet's name server. */
export function policy(text: string): string {
  return `dns: {servers: ["${addresses.dns4}"]}\n${text}`;
}

/** Whether `pid` has ended; whose child it was may take its time to notice. */
function isOver(pid: number): boolean {
  try {
    return /\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

async function endDaemon(folders: EgressFolders): Promise<void> {
  const daemon = await reachDaemon(folders).catch(() => undefined);
  if (daemon === undefined) return;
  const { pid } = await daemon.ask({ do: 'status' }, statusSchema);
  daemon.close();
  process.kill(pid, 'SIGTERM');
  // It answers nobody long before it has ended its Squid and taken away their folders: those of the next test have the same names.
  if (!(await until(() => isOver(pid)))) throw new Error(`daemon ${pid} does not end`);
}

/** Makes it for a test, or for all of a file, and goes with it. Root has a policy and a daemon for it that nobody else sees. */
export async function makeWayScene(t: Owner, caller: Scene['caller'] = 'plain user'): Promise<WayScene> {
  const scene = sceneOf(caller);
  const apart = caller === 'root' ? await makeApart(t) : undefined;
  const seen = (path: string) => `${apart?.root ?? ''}${path}`;
  const folders = egressFolders({ run: seen(scene.paths.run), state: seen(scene.paths.state) });
  const folder = mkdtempSync(join(tmpdir(), 'cft-way-'));
  const world = makeWorld(t);
  t.teardown(async () => {
    await endDaemon(folders);
    rmSync(folder, { recursive: true, force: true });
    if (apart === undefined) rmSync(scene.paths.state, { recursive: true, force: true });
  });
  const { root, certificate, authority } = makeOffers(folder, [one, two]);
  const names = Object.fromEntries([one, two].map((name) => [name, addresses.public4]));
  const config = JSON.stringify([names, root, certificate, addresses.dns4, [addresses.public4]]);
  const program = join(import.meta.dirname, 'internet.py');
  await world.start(
    'net',
    `import sys; sys.argv = ["internet", ${JSON.stringify(config)}]; exec(open(${JSON.stringify(program)}).read())`,
  );
  mkdirSync(join(scene.home, 'ws'), { recursive: true });
  scene.write('ws/ca.pem', authority);
  const workspace = join(scene.home, 'ws');
  const named = Object.entries(scene.env).map(([name, value]) => `${name}=${value}`);
  const who = scene.uid === 0 ? [] : [`--reuid=${scene.uid}`, `--regid=${scene.gid}`, '--init-groups'];
  const root0 = sceneOf('root');
  const around = ['/usr/bin/nsenter', `--net=/run/netns/${world.hostName}`, ...(apart?.enter ?? [])];
  const spawn = (...words: string[]) =>
    root0.spawn('/usr/bin/env', [
      ...around,
      ...['/usr/bin/setpriv', ...who, '/usr/bin/env', '-i', '-C', scene.home, ...named, ...words],
    ]);
  const start = (...words: string[]) => spawn(sandboxFile, ...words);
  const settings = apart === undefined ? scene.paths.config : seen(scene.paths.config);
  const file = join(settings, 'firewall.yaml');
  return {
    scene,
    world,
    workspace,
    folders,
    config: settings,
    around,
    options: [
      ...['--network', 'proxy', '--workspace', `${workspace}:ro`],
      ...trust.flatMap((name) => ['--env', `${name}=/workspace/ca.pem`]),
    ],
    writePolicy: (text) => {
      if (apart === undefined) scene.write(relative(scene.home, file), text);
      else writeFileSync(file, text);
    },
    removePolicy: () => rmSync(file, { force: true }),
    spawn,
    start,
    sandbox: (...words) => start(...words).ended,
    async status() {
      const daemon = await reachDaemon(folders);
      if (daemon === undefined) return undefined;
      const status = await daemon.ask({ do: 'status' }, statusSchema);
      daemon.close();
      return status;
    },
    log() {
      const { logs } = folders;
      return readdirSync(logs)
        .filter((name) => name === 'access.log')
        .flatMap((name) => readFileSync(join(logs, name), 'utf8').trim().split('\n'))
        .map((line) => JSON.parse(line) as ReturnType<WayScene['log']>[number]);
    },
  };
}
