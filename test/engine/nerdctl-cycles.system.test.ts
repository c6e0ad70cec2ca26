// Owns the proof that nerdctl's sandboxes leave nothing of themselves, of containerd's or of our scripts.
import { readFileSync } from 'node:fs';
import tap from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from '../system/needs.ts';
import type { Scene } from '../system/scene.ts';
import { foldersBelow, proveCycles } from './lifeCycles.ts';
import { startContainerd } from './nerdctlScene.ts';
import { containerdOf, nerdctlStage } from './nerdctlStage.ts';
import { startRootless } from './rootlessScene.ts';

declareNeeds('crun', 'unshare', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const containerds = [await startContainerd(), await startRootless()];

// Nothing is swept before it is counted.
async function standing(scene: Scene): Promise<string[]> {
  const containerd = containerdOf(scene, containerds);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(containerd.home));
  const containers = (await containerd.nerdctl('ps', '--all', '--quiet')).split('\n').filter((line) => line !== '');
  const processes = containerd.processes().map((command) => `process ${command}`);
  const groups = locateCgroups(scene.uid).folders.flatMap(({ path }) => foldersBelow(path));
  // `nerdctl ps` above keeps a folder of its own for each container that it sees alive.
  const folders = [containerd.home, containerd.containers]
    .flatMap(foldersBelow)
    .filter((line) => !/\/nerdctl\/[0-9a-f]{8}(?:\/|$)/.test(line));
  return [...processes, ...mounts, ...groups, ...containers, ...folders];
}

proveCycles(nerdctlStage(...containerds), standing);
