// Owns the stage on which every engine but crun, whose tests are in test/system, shows the life of its sandboxes.
import { readFileSync } from 'node:fs';
import tap, { type Test } from 'tap';
import { type Live, makeLive } from '../system/live.ts';
import type { Scene } from '../system/scene.ts';

export interface LifeStage {
  readonly engine: string;
  /** Whose callers are shown; its `sandbox` and `spawn` reach the engine. */
  readonly scenes: readonly Scene[];
  /** Lines of the confinement report that the engine adds for the sandbox's own program: what enters has none of them. */
  readonly additions: readonly string[];
  /** Ends the sandbox with the engine's own command line, behind our back. */
  removeBehindOurBack(scene: Scene, run: string): Promise<void>;
  /** What is left of a run, on the host and with the engine, once that has had its time to clean up. */
  listLeft(scene: Scene, run: string): Promise<string[]>;
}

/** A sandbox of the stage's engine that runs until the test has ended; nothing of it may then be left. */
export async function makeOn(
  t: Test,
  { engine, listLeft }: LifeStage,
  scene: Scene,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<Live> {
  let run: string | undefined;
  // Teardowns go backwards: after that of makeLive, which removes the sandbox.
  t.teardown(async () => {
    const left = run === undefined ? [] : await listLeft(scene, run);
    if (left.length > 0) throw new Error(`${engine} left ${left.join(', ')}`);
  });
  const live = await makeLive(t, scene, ['--engine', engine, ...options], command);
  run = live.run;
  return live;
}

/** Declares a test for each caller of the stage. */
export function testOn(stage: LifeStage, title: string, body: (t: Test, scene: Scene) => Promise<void>): void {
  for (const scene of stage.scenes) tap.test(`${title} (${scene.caller})`, (t) => body(t, scene));
}

/** The state that `inspect` tells. */
export async function stateOf(scene: Scene, { name }: Pick<Live, 'name'>): Promise<string> {
  const { stdout, stderr } = await scene.sandbox(['inspect', '--format', '{{.State}}', name]);
  return stdout.trim() || stderr;
}

/** Host pid of the supervisor of a run that lives. */
export function supervisorOf(scene: Scene, run: string): number {
  return Number(readFileSync(`${scene.paths.run}/records/${run}`, 'utf8').split(' ')[2]);
}
