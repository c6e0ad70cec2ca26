// Owns the proof that podman's sandboxes leave nothing of themselves, of podman or of its monitor.
import { readdirSync, readFileSync } from 'node:fs';
import tap from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from '../system/needs.ts';
import { type Scene, sceneOf } from '../system/scene.ts';
import { readSoft } from '../system/traces.ts';
import { foldersBelow, proveCycles } from './lifeCycles.ts';
import { podmanStage } from './podmanStage.ts';

declareNeeds('crun', 'podman', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

/** Processes of podman's kind anywhere below a cgroup of the caller: his own programs are in others. */
function processesOf({ uid }: Scene): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^[0-9]+$/.test(pid))
    .filter((pid) => readSoft(`/proc/${pid}/cgroup`).includes(`/cofferdam/${uid}/`))
    .map((pid) => `process ${readSoft(`/proc/${pid}/comm`).trim()}`);
}

async function standing(scene: Scene): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(scene.home) || line.includes(scene.paths.run));
  const groups = locateCgroups(scene.uid).folders.flatMap(({ path }) => foldersBelow(path));
  return [...processesOf(scene), ...mounts, ...groups, ...foldersBelow(scene.home), ...foldersBelow(scene.paths.run)];
}

// The plain user's folders and groups are the test's alone; root's are the host's.
proveCycles({ ...podmanStage, scenes: [sceneOf('plain user')] }, standing);
