// Owns what gVisor enforces: the sentry, a kernel in user space, by the spec that it is given; and what it cannot.
import { formatSize } from '../../base/units.ts';
import { type EngineMatrix, ours, type Refused } from './row.ts';

/**
 * Sentry, gofer and runsc live in the sandbox's own control group: what they need at the least. Measured on 2 cores (ptrace): a
 * shell with a child needs 32m and 64 threads, 80 after a while, and each process more about 8: 128 hold 11, 256 25, 512 58.
 */
const leastMemory = 64 * 1024 ** 2;
const leastPids = 128;

const sentry = { by: 'sentry' } as const;
const gofer = { by: 'sentry; gofer with the ids of the folder' } as const;
const leaf = { by: 'control group of the run, sentry and gofer in it' } as const;

const published: Refused = {
  what: 'all of it',
  why: 'the way in is a process of ours that joins the network namespace of the kernel, and its sandboxes have a network of their own kernel',
  asked: ({ ports }) => (ports.length === 0 ? undefined : 'ports'),
};

/**
 * The gofer connects by path. A socket that others make in a folder of the host, and a path that the guest swaps meanwhile, would be
 * two ways to sockets that nobody gave to it. Copies and artifacts are ours alone, and nobody makes a socket there.
 */
const writable: Refused = {
  what: 'with a folder of the host that can be written to',
  why: 'its sandboxes reach host sockets only where none of their folders of the host is writable',
  asked: ({ network, workspace, mounts }) => {
    if (network.mode !== 'proxy') return undefined;
    const at = mounts.findIndex(({ mode }) => mode === 'rw');
    if (at !== -1) return `mounts[${at}].mode: rw with network.mode: proxy`;
    return workspace.mode === 'rw' ? 'workspace.mode: rw with network.mode: proxy' : undefined;
  },
};

export const runscMatrix: EngineMatrix = {
  user: sentry,
  'workspace.mode scratch': sentry,
  'workspace.mode ro': gofer,
  'workspace.mode rw': gofer,
  'workspace.mode copy': gofer,
  'workspace.size, tmpfs': {
    by: 'sentry, for sizes; limits.memory, for inodes',
    lacks: [
      {
        why: 'runsc: files and folders in a tmpfs are not counted; they are memory of the sandbox, which is bounded',
        checks: [],
      },
    ],
  },
  artifacts: { by: 'tmpfs of the run, collector' },
  mounts: gofer,
  'limits.memory': {
    ...leaf,
    refuses: [
      {
        what: `less than ${formatSize(leastMemory)}`,
        why: `sentry and gofer are charged to the sandbox and need ${formatSize(leastMemory)} at the least`,
        asked: ({ limits }) => (limits.memory < leastMemory ? 'limits.memory' : undefined),
      },
    ],
  },
  'limits.cpus': leaf,
  'limits.pids': {
    ...leaf,
    refuses: [
      {
        what: `less than ${leastPids}`,
        why: `the threads of sentry and gofer count as the sandbox's, ${leastPids} at the least`,
        asked: ({ limits }) => (limits.pids < leastPids ? 'limits.pids' : undefined),
      },
    ],
    lacks: [
      {
        why: "runsc: limits.pids counts the sentry's threads, some 80 and 8 more for each process inside; a sandbox that reaches it ends as a whole",
        checks: ['limit.processes-hold'],
      },
    ],
  },
  'limits.openFiles, fileSize': sentry,
  'limits.timeout, idle': ours.timeout,
  'limits.enforce best-effort': ours.readBack,
  output: ours.output,
  '-t': {
    refuses: [
      {
        what: 'of run and create; exec has one',
        why: 'its run tells the program neither of Ctrl-C nor of a new size; its exec does',
        asked: (_, { terminal }) => (terminal === true ? '-t' : undefined),
      },
    ],
  },
  env: { by: 'spec' },
  'network.mode none': { by: 'sentry; network namespace of the sentry' },
  'network.mode proxy': {
    by: 'gofer, which leads to the socket and makes none; init, bridge, Squid',
    refuses: [writable],
  },
  ports: { refuses: [published] },
  'user namespace': { by: 'namespaces of our script, spec' },
  'own host ids': { by: 'launch script, namespaces of our script' },
  'plain-user callers': { by: 'newuidmap' },
  'syscall filter': { by: 'sentry (--oci-seccomp); its own filter around itself' },
  'own namespaces': { by: 'sentry; namespaces of our script, also for runsc and its control socket' },
  'private mounts': { by: 'namespaces of our script' },
  'read-only root': sentry,
  'no capability': {
    ...sentry,
    lacks: [
      {
        why: "runsc: the sentry's own /dev/fuse and /dev/net/tun can be opened, and nothing done with them without a capability",
        checks: ['device.fuse', 'device.tun'],
      },
    ],
  },
  'mount flags': { by: 'sentry, which runs no set-id program as another user and opens no device of the host' },
  'hidden kernel files': { by: 'sentry, whose /proc and /sys are its own' },
  'limits read back': ours.readBack,
  'death with the supervisor': { by: 'pid namespace of our script' },
  'own stdio': { by: 'supervisor' },
};
