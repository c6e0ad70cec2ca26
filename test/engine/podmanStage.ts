// Owns podman's stage: both callers, and how its own command line is reached in the namespaces of a run.
import { readFileSync } from 'node:fs';
import { type Scene, sceneOf } from '../system/scene.ts';
import { leavesOf, membersOf } from '../system/traces.ts';
import type { LifeStage } from './lifeStage.ts';

/** podman's own process in a run: its state is known in its namespaces alone. */
function findClient({ uid }: Scene, run: string): string {
  const found = membersOf(uid, run).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'podman\n');
  if (found === undefined) throw new Error(`no podman in ${leavesOf(uid, run)}`);
  return String(found);
}

export const podmanStage: LifeStage = {
  engine: 'podman',
  scenes: [sceneOf('root'), sceneOf('plain user')],
  additions: ['HOSTNAME=sandbox', 'Groups:\t65532 '],
  async removeBehindOurBack(scene, run) {
    const client = findClient(scene, run);
    const state = [
      '--root',
      '/tmp/store',
      '--runroot',
      '/tmp/state',
      '--tmpdir',
      '/tmp/tmp',
      '--runtime-flag',
      'root=/tmp/crun',
    ];
    const env = [
      'HOME=/tmp',
      'CONTAINERS_CONF=/tmp/plan/containers.conf',
      'CONTAINERS_STORAGE_CONF=/tmp/plan/storage.conf',
    ];
    const inside = ['-t', client, ...(scene.uid === 0 ? [] : ['-U', '--preserve-credentials']), '-m', '-p'];
    const words = [...inside, 'env', '-C', '/', ...env, 'podman', ...state, 'rm', '-f', '-t', '0', `cofferdam-${run}`];
    const { status, signal, stderr } = await scene.spawn('/usr/bin/nsenter', words).ended;
    // The namespaces may end with what it removed, and it with them.
    if (status !== 0 && signal !== 'SIGKILL' && status !== 137) throw new Error(`podman rm: ${status} ${stderr}`);
  },
  // All that it keeps lies on a tmpfs of the run.
  listLeft: async (scene, run) => scene.traces(run),
};
