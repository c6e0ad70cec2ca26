// Owns the commands that are compared: what a user of each peer would type for `true` without network on the same rootfs.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { useRuntimeFolder } from './runtimeFolder.ts';

const root = join(import.meta.dirname, '..');
const runtime = useRuntimeFolder();
const profile = 'base-tools';
const srtVersion = '0.0.83';
const cache = process.env['COFFERDAM_BENCH_CACHE'] ?? join(homedir(), '.cache/cofferdam-bench');

export interface Peer {
  readonly name: string;
  readonly command: string;
  /** Leaves that the measuring process joins first. */
  readonly cgroups: readonly string[];
}

export interface LivePeer extends Peer {
  /** Words of the same with a program that says `up` and waits for a line. */
  readonly waiting: readonly string[];
}

const waits = 'echo up; read x';

interface PlanInputs {
  readonly directory: string;
  readonly inputs: {
    readonly cgroups: {
      readonly version: 1 | 2;
      readonly folders: readonly { readonly controllers: readonly string[]; readonly path: string }[];
    };
    readonly ids: {
      readonly callerUid: number;
      readonly callerGid: number;
      readonly subuids: { start: number };
      readonly subgids: { start: number };
    };
  };
}

async function readPlan(): Promise<PlanInputs> {
  const { stdout } = await $`${join(root, 'bin/sandbox')} plan --profile ${profile} --format json`.quiet();
  return JSON.parse(stdout) as PlanInputs;
}

/** The plan's own bundle with its placeholders filled in: argv, ids of the first slot, names. */
function fillBundle(plan: PlanInputs, folder: string): string {
  const { ids } = plan.inputs;
  const isRoot = ids.callerUid === 0;
  const { start } = ids.subuids;
  const values: Readonly<Record<string, string>> = {
    '4199999901': String(isRoot ? start : ids.callerUid),
    '4199999902': String(start + 1),
    '4199999903': String(isRoot ? ids.subgids.start : ids.callerGid),
    '4199999904': String(ids.subgids.start + 1),
    '"@@ARGV@@"': '"/bin/true"',
  };
  let config = readFileSync(join(plan.directory, 'config.json'), 'utf8');
  for (const [token, value] of Object.entries(values)) config = config.replaceAll(token, value);
  const bundle = join(folder, 'bundle');
  // Our supervisor hands a mapped user namespace over; bare crun makes and maps its own.
  config = config.replace(/"path": ?"\/proc\/self\/fd\/4",?/, '').replace(/"type": ?"user",\s*\}/, '"type": "user" }');
  writeFileSync(join(bundle, 'config.json'), config.replaceAll(/@@[A-Z_]+@@/g, 'bench'), { mode: 0o644 });
  return bundle;
}

/** Bare crun with the same bundle, in leaves beside ours. */
export async function crunPeer(folder: string): Promise<{ peer: Peer; remove: () => void }> {
  await $`${join(root, 'bin/sandbox')} run --profile ${profile} -- /bin/true`.quiet();
  const plan = await readPlan();
  const bundle = fillBundle(plan, folder);
  const leaves = plan.inputs.cgroups.folders.map(({ path }) => join(path, `bench-${process.pid}`));
  for (const leaf of leaves) mkdirSync(leaf);
  const command = `crun --root ${runtime}/bench-crun --cgroup-manager=disabled --log ${folder}/log run --no-new-keyring --bundle ${bundle} bench`;
  const remove = () => {
    for (const leaf of leaves) rmdirSync(leaf);
  };
  return { peer: { name: 'crun run', command, cgroups: leaves }, remove };
}

/** Imports a rootfs once into a podman storage of its own below `folder` (overlay, not copies), as `cofferdam-bench`; gives the command's first words. */
export async function importPodman(rootfs: string, folder: string): Promise<string> {
  const podman = `podman --root ${folder}/podman --runroot ${runtime}/bench-podman --storage-driver overlay --log-level error`;
  await $`sh -c ${`tar -C ${rootfs} -c . | ${podman} import - cofferdam-bench`}`.quiet();
  return podman;
}

// A peer's own package, at a pinned version, outside the repository: it is no dependency of ours.
async function installSrt(): Promise<string> {
  const place = join(cache, `srt-${srtVersion}`);
  const entry = join(place, 'node_modules/@anthropic-ai/sandbox-runtime/dist/cli.js');
  if (!existsSync(entry)) {
    await $`npm install --no-audit --no-fund --prefix ${place} @anthropic-ai/sandbox-runtime@${srtVersion}`.quiet();
  }
  return `${process.execPath} ${entry}`;
}

/** Ours first, then the others. */
export async function listPeers(folder: string): Promise<LivePeer[]> {
  const { stdout } = await $`${join(root, 'bin/sandbox')} image inspect ${profile} --json`.quiet();
  const { rootfs } = JSON.parse(stdout) as { rootfs: string };
  const podman = `${await importPodman(rootfs, folder)} run --rm --network=none --ulimit=host`;
  const bwrap = `bwrap --unshare-all --die-with-parent --ro-bind ${rootfs} / --proc /proc --dev /dev --tmpfs /tmp`;
  const srt = await installSrt();
  const ours = `${join(root, 'bin/sandbox')} run --profile ${profile}`;
  const waiting = (words: string, more: readonly string[] = ['sh', '-c']) => [...words.split(' '), ...more, waits];
  return [
    {
      name: 'cofferdam',
      command: `${ours} -- /bin/true`,
      cgroups: [],
      waiting: waiting(`${ours} --stdin --timeout 10m --`),
    },
    {
      name: 'podman run',
      command: `${podman} cofferdam-bench /bin/true`,
      cgroups: [],
      waiting: waiting(`${podman} --interactive cofferdam-bench`),
    },
    { name: 'bwrap', command: `${bwrap} /bin/true`, cgroups: [], waiting: waiting(bwrap) },
    { name: 'srt', command: `${srt} /bin/true`, cgroups: [], waiting: waiting(srt, ['-c']) },
  ];
}

/** Takes away what the peers left in `folder` and in the runtime folder. Some of podman's belongs to subordinate ids. */
export async function removePeers(folder: string): Promise<void> {
  await $`podman unshare rm -rf ${folder} ${runtime}/bench-crun ${runtime}/bench-podman`.quiet();
}
