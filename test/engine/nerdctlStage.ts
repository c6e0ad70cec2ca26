// Owns nerdctl's stage: root alone, at a containerd of the test's own.
import type { LifeStage } from './lifeStage.ts';
import type { NerdctlScene } from './nerdctlScene.ts';

/** What every test of nerdctl's sandboxes needs. */
export function nerdctlStage(containerd: NerdctlScene): LifeStage {
  return {
    engine: 'nerdctl',
    scenes: [containerd.scene],
    // It has none, and says so; what enters says the same.
    additions: ['Groups:\t '],
    removeBehindOurBack: async (_, run) => {
      await containerd.nerdctl('rm', '--force', `cofferdam-${run}`);
    },
    listLeft: async (_, run) => ((await containerd.isGone(run)) ? [] : [`container or processes of ${run}`]),
  };
}
