// Owns what podman enforces: what its flags say, and what our script mounts before it starts.
import { formatSize } from '../../base/units.ts';
import { type EngineMatrix, ours, type Refused } from './row.ts';

/** podman's client and monitor live in the sandbox's own control group: what they need at the least. */
const leastMemory = 96 * 1024 ** 2;
const leastPids = 64;

const flag = { by: 'flag' } as const;
const script = { by: 'mount of our script' } as const;

/** Its --mount option is a list separated by commas, without a way to quote them. */
const targets: Refused = {
  what: 'targets with a comma, a quote or a line end',
  why: 'its options have no way to write the path',
  asked: ({ mounts }) => {
    const at = mounts.findIndex(({ target }) => /[,"\n]/.test(target));
    return at === -1 ? undefined : `mounts[${at}].target`;
  },
};

export const podmanMatrix: EngineMatrix = {
  user: {
    ...flag,
    refuses: [
      {
        what: 'a workdir with a line end',
        why: 'its options have no way to write the path',
        asked: ({ workdir }) => (workdir.includes('\n') ? 'workdir' : undefined),
      },
    ],
  },
  'workspace.mode scratch': script,
  'workspace.mode ro': script,
  'workspace.mode rw': script,
  'workspace.mode copy': script,
  'workspace.size, tmpfs': script,
  artifacts: { by: 'tmpfs of the run, collector' },
  mounts: { ...script, refuses: [targets] },
  'limits.memory': {
    ...ours.leaf,
    refuses: [
      {
        what: `less than ${formatSize(leastMemory)}`,
        why: `its own processes are charged to the sandbox and need ${formatSize(leastMemory)} at the least`,
        asked: ({ limits }) => (limits.memory < leastMemory ? 'limits.memory' : undefined),
      },
    ],
  },
  'limits.cpus': ours.leaf,
  'limits.pids': {
    ...ours.leaf,
    refuses: [
      {
        what: `less than ${leastPids}`,
        why: `its own threads count as the sandbox's, ${leastPids} at the least`,
        asked: ({ limits }) => (limits.pids < leastPids ? 'limits.pids' : undefined),
      },
    ],
    lacks: [
      {
        why: "podman's own threads count as the sandbox's, so a fork bomb can end them",
        checks: ['limit.processes-hold'],
      },
    ],
  },
  'limits.openFiles, fileSize': flag,
  'limits.timeout, idle': ours.timeout,
  'limits.enforce best-effort': ours.readBack,
  output: ours.output,
  '-t': { by: 'supervisor, pty of the sandbox' },
  env: { ...flag, lacks: [{ why: 'podman: the environment has HOSTNAME=sandbox, too', checks: ['leak.environment'] }] },
  'network.mode none': flag,
  'network.mode proxy': { by: 'flag; mount of our script, init, bridge, Squid' },
  ports: { by: 'supervisor, by the control group of the run; registry of ports' },
  'user namespace': flag,
  'own host ids': { by: 'launch script, flags' },
  'plain-user callers': { by: 'newuidmap' },
  'no capability': flag,
  'syscall filter': { by: 'annotation (BPF)' },
  'own namespaces': flag,
  'private mounts': script,
  'read-only root': flag,
  'mount flags': {
    ...script,
    lacks: [
      {
        why: 'podman: /dev is mounted without nodev; that it is of the user namespace keeps device nodes from working',
        checks: ['fs.no-devices'],
      },
    ],
  },
  'hidden kernel files': {
    ...flag,
    lacks: [{ why: 'podman: /dev has an empty, read-only folder mqueue', checks: ['device.listing'] }],
  },
  'limits read back': ours.readBack,
  'death with the supervisor': { by: 'pid namespace of our script' },
  'own stdio': { by: 'supervisor' },
};
