// Owns what gVisor enforces as podman's runtime: what it does alone, with podman's client and monitor in the sandbox's groups.
import { formatSize } from '../../base/units.ts';
import type { EngineMatrix } from './row.ts';
import { runscMatrix } from './runsc.ts';

/** Measured on 2 cores: a shell with a child takes 33 MB and 62 threads, podman's among them. The rest is what others need. */
const leastMemory = 96 * 1024 ** 2;

const leaf = { by: 'control group of the run; sentry, gofer, podman and its monitor in it' } as const;

export const podmanRunscMatrix: EngineMatrix = {
  ...runscMatrix,
  'limits.memory': {
    ...leaf,
    refuses: [
      {
        what: `less than ${formatSize(leastMemory)}`,
        why: `sentry, gofer, podman and its monitor are charged to the sandbox and need ${formatSize(leastMemory)} at the least`,
        asked: ({ limits }) => (limits.memory < leastMemory ? 'limits.memory' : undefined),
      },
    ],
  },
  'limits.cpus': leaf,
  'limits.pids': {
    ...runscMatrix['limits.pids'],
    ...leaf,
    lacks: [
      {
        why: 'podman+runsc: limits.pids counts the threads of podman and the sentry, some 100 and 8 more for each process inside; a sandbox that reaches it ends as a whole',
        checks: ['limit.processes-hold'],
      },
    ],
  },
};
