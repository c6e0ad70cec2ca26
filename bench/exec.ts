// Owns the exec benchmark: `true` in a sandbox that runs, ours beside crun exec and podman exec, in one call.
// node bench/exec.ts [--rounds N] [--json]; as a plain user that `sandbox setup --user` prepared.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { compare, report } from './compare.ts';
import { importPodman, type Peer, removePeers } from './peers.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '6' }, json: { type: 'boolean' } } });
const sandbox = join(import.meta.dirname, '../bin/sandbox');
const name = `bench-${process.pid}`;
$.verbose = false;

/** A sandbox that waits, entered once, so that the entrance is there. */
async function startSandbox(): Promise<void> {
  await $`${sandbox} create --profile base-tools --name ${name} --start`.quiet();
  await $`${sandbox} exec ${name} -- /bin/true`.quiet();
}

/** Bare crun with the very state by which ours enters, into the same sandbox. */
async function crunExec(): Promise<Peer> {
  const { stdout } = await $`${sandbox} exec -d ${name} -- sleep 2`.quiet();
  const found = await $`pgrep -f ${`supervise --id ${stdout.trim()} .* exec `}`.quiet();
  const [pid = ''] = found.stdout.split('\n');
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  const runtime = words.slice(words.indexOf('--') + 1);
  const state = runtime[runtime.indexOf('--root') + 1] ?? '';
  return {
    name: 'crun exec',
    command: `crun --root ${state} --cgroup-manager=disabled exec ${runtime.at(-1)} /bin/true`,
    cgroups: [],
  };
}

async function podmanExec(folder: string): Promise<Peer & { remove: () => Promise<void> }> {
  const { stdout } = await $`${sandbox} image inspect base-tools --json`.quiet();
  const podman = await importPodman((JSON.parse(stdout) as { rootfs: string }).rootfs, folder);
  await $`sh -c ${`${podman} run -d --network=none --ulimit=host --name ${name} cofferdam-bench sleep infinity`}`.quiet();
  return {
    name: 'podman exec',
    command: `${podman} exec ${name} /bin/true`,
    cgroups: [],
    remove: async () => void (await $`sh -c ${`${podman} rm -f -t 0 ${name}`}`.quiet()),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
try {
  await startSandbox();
  const podman = await podmanExec(folder);
  const ours: Peer = { name: 'cofferdam exec', command: `${sandbox} exec ${name} -- /bin/true`, cgroups: [] };
  const peers = [ours, await crunExec(), podman];
  const results = [];
  for (const gapMs of [0, 200]) {
    const times = await compare(peers, { rounds: Number(values.rounds), gapMs, folder });
    results.push({ gapMs, times });
    if (values.json !== true) report(gapMs === 0 ? 'back to back' : '200 ms apart', times, 'crun exec');
  }
  if (values.json === true) console.log(JSON.stringify(results));
  await podman.remove();
} finally {
  await $`${sandbox} rm -f ${name}`.quiet();
  await removePeers(folder);
}
