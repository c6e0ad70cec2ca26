// Owns what docker enforces: what its flags say, and what our gate checks before the program starts.
import { type Cell, type EngineMatrix, ours, type Refused } from './row.ts';

const flag = { by: 'flag' } as const;
const gate = { by: 'flag, checked by our gate' } as const;
const leaf = { by: 'control group of the run; our gate moves the container into it' } as const;

const oneMap = 'its daemon maps the same ids for every container';

function noMode(mode: 'rw' | 'copy'): Cell {
  const refused: Refused = {
    what: 'all of it',
    why: `${oneMap}, and the folder's owner is not among them`,
    asked: ({ workspace }) => (workspace.mode === mode ? `workspace.mode: ${mode}` : undefined),
  };
  return { refuses: [refused] };
}

const writableMounts: Refused = {
  what: 'mode rw',
  why: 'its flags cannot keep set-id bits and device nodes from working there',
  asked: ({ mounts }) => {
    const at = mounts.findIndex(({ mode }) => mode === 'rw');
    return at === -1 ? undefined : `mounts[${at}].mode: rw`;
  },
};

/** In /proc runc takes no mount of ours. */
const shown = ['cmdline', 'interrupts', 'kallsyms', 'key-users', 'modules'] as const;

export const dockerMatrix: EngineMatrix = {
  user: gate,
  'workspace.mode scratch': flag,
  'workspace.mode ro': flag,
  'workspace.mode rw': noMode('rw'),
  'workspace.mode copy': noMode('copy'),
  'workspace.size, tmpfs': flag,
  artifacts: {
    refuses: [
      {
        what: 'all of it',
        why: 'its daemon does not see the tmpfs of the run, which they are copied from',
        asked: (_, { collectsArtifacts }) => (collectsArtifacts ? 'artifacts' : undefined),
      },
    ],
  },
  mounts: { ...flag, refuses: [writableMounts] },
  'limits.memory': leaf,
  'limits.cpus': leaf,
  'limits.pids': leaf,
  'limits.openFiles, fileSize': flag,
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
  '-t': { by: "supervisor; daemon's pty of the sandbox, through its client on a pty of ours" },
  env: flag,
  'network.mode none': flag,
  'network.mode proxy': {
    by: 'flag, init, bridge, Squid',
    lacks: [
      {
        why: 'docker: the read-only folder of the way out has the other mount flags of the file system that it lies on; only its socket is in it',
        checks: [],
      },
    ],
  },
  ports: { by: 'supervisor, by the control group of the run; registry of ports' },
  'user namespace': { by: 'userns-remap of the daemon, checked by our gate' },
  'own host ids': {
    lacks: [
      {
        why: `docker: ${oneMap}, so its sandboxes share a host uid, and 65536 ids are mapped`,
        checks: ['identity.uid-map', 'identity.gid-map', 'identity.uid-alone'],
      },
    ],
  },
  'plain-user callers': {
    refuses: [
      {
        what: 'all but root',
        why: 'who may speak to its daemon is as good as root, and should be root by name',
        asked: (_, { callerUid }) => (callerUid === 0 ? undefined : `the uid ${callerUid} of the caller`),
      },
    ],
  },
  'no capability': gate,
  'syscall filter': gate,
  'own namespaces': gate,
  'private mounts': {
    by: 'flag, for folders of the host',
    lacks: [
      {
        why: "docker: a mount that root makes on the host in a container's root appears inside",
        checks: ['fs.private'],
      },
    ],
  },
  'read-only root': gate,
  'mount flags': {
    by: 'flag',
    lacks: [
      {
        why: 'docker: /dev is mounted without nodev; that it is of the user namespace keeps device nodes from working',
        checks: ['fs.no-devices'],
      },
    ],
  },
  'hidden kernel files': {
    by: "flag, in /sys; the daemon's list, in /proc",
    lacks: [
      {
        why: `docker: in /proc only its own list is hidden; ${shown.join(', ')} can be read as far as the kernel lets a user namespace`,
        checks: [...shown.map((name) => `proc.read-${name}`), 'proc.list-bus', 'proc.masked', 'proc.read-only'],
      },
      { why: 'docker: /dev has an empty, read-only folder mqueue', checks: ['device.listing'] },
      {
        why: "docker: /proc/self/cgroup names the run's control groups, and with them its id and the caller's uid",
        checks: ['leak.cgroup-path'],
      },
    ],
  },
  'limits read back': { by: 'launch script, gate' },
  'death with the supervisor': { by: 'watch with a pipe, control group' },
  'own stdio': { by: "daemon's pipes" },
};
