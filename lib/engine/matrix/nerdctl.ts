// Owns what nerdctl enforces: what crun does, which a runtime of ours gives our own bundle; and what containerd cannot.
import { type EngineMatrix, ours } from './row.ts';

const spec = { by: 'spec, which our runtime gives crun' } as const;
const leaf = { by: 'control group of the run; our runtime joins it' } as const;

export const nerdctlMatrix: EngineMatrix = {
  user: spec,
  'workspace.mode scratch': spec,
  'workspace.mode ro': spec,
  'workspace.mode rw': spec,
  'workspace.mode copy': spec,
  'workspace.size, tmpfs': spec,
  artifacts: { by: 'tmpfs of the run, whose mounts our runtime enters; collector' },
  mounts: spec,
  'limits.memory': leaf,
  'limits.cpus': leaf,
  'limits.pids': leaf,
  'limits.openFiles, fileSize': spec,
  'limits.timeout, idle': ours.timeout,
  'limits.enforce best-effort': {
    refuses: [
      {
        what: 'all of it',
        why: 'its containers are bounded by the control groups of the run, or not started',
        asked: ({ limits }) => (limits.enforce === 'best-effort' ? 'limits.enforce: best-effort' : undefined),
      },
    ],
  },
  output: ours.output,
  '-t': { by: 'supervisor, pty of the sandbox' },
  env: spec,
  'network.mode none': spec,
  'network.mode proxy': {
    by: 'spec, which our runtime gives crun; init, bridge, Squid',
    refuses: [
      {
        what: 'of a plain user',
        why: 'the way out of a sandbox below rootlesskit is not proven',
        asked: ({ network }, { callerUid }) =>
          callerUid !== 0 && network.mode === 'proxy' ? 'network.mode' : undefined,
      },
    ],
  },
  ports: {
    by: 'supervisor, by the control group of the run; registry of ports',
    refuses: [
      {
        what: 'of a plain user',
        why: 'the way into a sandbox below rootlesskit is not proven',
        asked: ({ ports }, { callerUid }) => (callerUid !== 0 && ports.length > 0 ? 'ports' : undefined),
      },
    ],
  },
  'user namespace': spec,
  'own host ids': { by: 'launch script, spec' },
  'plain-user callers': { by: "containerd of the caller's own, in rootlesskit; its ids and socket are compared" },
  'no capability': spec,
  'syscall filter': { by: 'spec (BPF)' },
  'own namespaces': spec,
  'private mounts': spec,
  'read-only root': spec,
  'mount flags': spec,
  'hidden kernel files': spec,
  'limits read back': ours.readBack,
  'death with the supervisor': { by: 'watch with a pipe, control group' },
  'own stdio': { by: 'supervisor; our runtime takes its pipes' },
};
