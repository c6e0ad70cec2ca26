// Owns the cold-run benchmark: `true` from the prompt, ours beside crun, podman and bwrap, in one call.
// node bench/cold-run.ts [--rounds N] [--json]; as a plain user that `sandbox setup --user` prepared.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { compare, report } from './compare.ts';
import { crunPeer, listPeers, removePeers } from './peers.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '6' }, json: { type: 'boolean' } } });
const rounds = Number(values.rounds);
$.verbose = false;

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
mkdirSync(join(folder, 'bundle'), { mode: 0o755 });
const crun = await crunPeer(folder);
try {
  const peers = [...(await listPeers(folder)), crun.peer];
  const results = [];
  for (const gapMs of [0, 200]) {
    const times = await compare(peers, { rounds, gapMs, folder });
    results.push({ gapMs, times });
    if (values.json !== true) report(gapMs === 0 ? 'back to back' : '200 ms apart', times, 'crun run');
  }
  if (values.json === true) console.log(JSON.stringify(results));
  writeFileSync(join(folder, 'done'), '');
} finally {
  crun.remove();
  await removePeers(folder);
}
