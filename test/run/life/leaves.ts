// Owns control groups of plain files for tests of what reads and writes them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import type { LeafController } from '../../../lib/engine/cgroup.ts';
import type { Sandbox } from '../../../lib/run/life/sandbox.ts';

export type Leaves = Pick<Sandbox, 'cgroups' | 'run' | 'name'>;

export interface LeafScene {
  readonly sandbox: Leaves;
  readonly folder: string;
  /** Writes a file of the run's leaf below `parent`. */
  write(parent: string, file: string, text: string): void;
}

/** Parents named after what they are for, joined by a comma. */
export function makeLeaves(t: Test, version: 1 | 2, parents: readonly (readonly LeafController[])[]): LeafScene {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-leaves-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const folders = parents.map((controllers) => ({
    controllers: [...controllers],
    path: join(folder, controllers.join()),
  }));
  for (const { path } of folders) mkdirSync(join(path, 's1-1'), { recursive: true });
  return {
    folder,
    sandbox: { name: 'work', run: 's1-1', cgroups: { version, folders } },
    write(parent, file, text) {
      const whole = join(folder, parent, 's1-1', file);
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, text);
    },
  };
}
