// Owns docker's stage: root alone, at a daemon of the test's own.
import type { DockerScene } from './dockerScene.ts';
import type { LifeStage } from './lifeStage.ts';

/** What every test of docker's sandboxes needs. */
export function dockerStage(docker: DockerScene): LifeStage {
  return {
    engine: 'docker',
    scenes: [docker.scene],
    additions: ['Groups:\t65532 '],
    removeBehindOurBack: async (_, run) => {
      await docker.docker('rm', '--force', `cofferdam-${run}`);
    },
    listLeft: (_, run) => docker.listLeft(run),
  };
}
