// Owns what crun enforces: all there is, by the spec that it is given.
import { type EngineMatrix, ours } from './row.ts';

const spec = { by: 'spec' } as const;

export const crunMatrix: EngineMatrix = {
  user: spec,
  'workspace.mode scratch': spec,
  'workspace.mode ro': spec,
  'workspace.mode rw': spec,
  'workspace.mode copy': spec,
  'workspace.size, tmpfs': spec,
  artifacts: { by: 'tmpfs of the run, collector' },
  mounts: spec,
  'limits.memory': ours.leaf,
  'limits.cpus': ours.leaf,
  'limits.pids': ours.leaf,
  'limits.openFiles, fileSize': spec,
  'limits.timeout, idle': ours.timeout,
  'limits.enforce best-effort': ours.readBack,
  output: ours.output,
  '-t': { by: 'supervisor, pty of the sandbox' },
  env: spec,
  'network.mode none': spec,
  'network.mode proxy': { by: 'spec, init, bridge, Squid' },
  'user namespace': spec,
  'own host ids': { by: 'launch script, spec' },
  'plain-user callers': { by: 'newuidmap' },
  'no capability': spec,
  'syscall filter': { by: 'spec (BPF)' },
  'own namespaces': spec,
  'private mounts': spec,
  'read-only root': spec,
  'mount flags': spec,
  'hidden kernel files': spec,
  'limits read back': ours.readBack,
  'death with the supervisor': { by: 'PDEATHSIG, control group' },
  'own stdio': { by: 'supervisor' },
};
