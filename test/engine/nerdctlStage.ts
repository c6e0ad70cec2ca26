// Owns nerdctl's stage: root and a plain user, each at a containerd of their own.
import type { Scene } from '../system/scene.ts';
import type { LifeStage } from './lifeStage.ts';
import type { ContainerdScene } from './nerdctlScene.ts';

/** The containerd of a caller. */
export function containerdOf(scene: Scene, containerds: readonly ContainerdScene[]): ContainerdScene {
  const found = containerds.find((one) => one.scene === scene);
  if (found === undefined) throw new Error(`${scene.caller} has no containerd`);
  return found;
}

/** What every test of nerdctl's sandboxes needs. */
export function nerdctlStage(...containerds: readonly ContainerdScene[]): LifeStage {
  const of = (scene: Scene) => containerdOf(scene, containerds);
  return {
    engine: 'nerdctl',
    scenes: containerds.map(({ scene }) => scene),
    // It has none, and says so; what enters says the same.
    additions: ['Groups:\t '],
    removeBehindOurBack: async (scene, run) => {
      await of(scene).nerdctl('rm', '--force', `cofferdam-${run}`);
    },
    listLeft: (scene, run) => of(scene).listLeft(run),
  };
}
