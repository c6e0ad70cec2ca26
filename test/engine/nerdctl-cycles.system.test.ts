// Owns the proof that nerdctl's sandboxes leave nothing of themselves, of containerd's or of our scripts.
import { readFileSync } from 'node:fs';
import tap from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from '../system/needs.ts';
import { findProcesses } from '../system/traces.ts';
import { foldersBelow, proveCycles } from './lifeCycles.ts';
import { startContainerd } from './nerdctlScene.ts';
import { nerdctlStage } from './nerdctlStage.ts';

declareNeeds('crun', 'unshare', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const containerd = await startContainerd();

async function standing(): Promise<string[]> {
  // On a busy machine nerdctl's hooks make folders anew after our script has removed them (docs/decisions/0019): gc takes them away.
  await containerd.scene.sandbox(['gc']);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(containerd.home));
  const containers = (await containerd.nerdctl('ps', '--all', '--quiet')).split('\n').filter((line) => line !== '');
  const processes = findProcesses(containerd.home).map(({ command }) => `process ${command}`);
  const groups = locateCgroups(0).folders.flatMap(({ path }) => foldersBelow(path));
  // `nerdctl ps` above keeps a folder of its own for each container that it sees alive.
  const folders = foldersBelow(containerd.home).filter((line) => !/\/nerdctl\/[0-9a-f]{8}(?:\/|$)/.test(line));
  return [...processes, ...mounts, ...groups, ...containers, ...folders];
}

proveCycles(nerdctlStage(containerd), standing);
