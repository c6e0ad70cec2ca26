// Owns the rows of the enforcement matrix, and what an engine can say in each.
import type { Profile } from '../../profile/schema.ts';
import type { Asking } from '../types.ts';

/** What a profile, or the caller with a flag, asks for. */
export const fields = {
  user: 'uid and gid of the program',
  'workspace.mode scratch': 'an empty, sized /workspace',
  'workspace.mode ro': 'a host folder, read-only',
  'workspace.mode rw': 'a host folder itself',
  'workspace.mode copy': 'a copy of a host folder',
  'workspace.size, tmpfs': 'sizes and inodes of all writable places',
  artifacts: 'copying /artifacts out',
  mounts: 'further host folders',
  'limits.memory': 'memory and swap',
  'limits.cpus': 'processor time',
  'limits.pids': 'processes and threads',
  'limits.openFiles, fileSize': 'descriptors, size of a file',
  'limits.timeout, idle': 'wall clock, silence',
  'limits.enforce best-effort': 'running although a limit is lacking',
  output: 'bounds of captured output',
  '-t': 'a terminal of its own, whose other end is ours',
  env: 'the environment, and nothing else in it',
  'network.mode none': 'loopback only',
  'network.mode proxy': 'loopback, and what a policy allows by one proxy',
  ports: 'ports of the host that lead inside',
} as const;

/** What every sandbox has unless something says otherwise (DESIGN.md, "The boundary"). */
export const properties = {
  'user namespace': "root inside is nobody on the host, and the host's root is not inside",
  'own host ids': 'no two live sandboxes share a host uid; two ids are mapped',
  'plain-user callers': 'nobody needs to be root, or a group that is as good as root',
  'no capability': 'all five sets are empty; no_new_privs',
  'syscall filter': 'our allow list',
  'own namespaces': 'pid, ipc, uts, net, mount, cgroup',
  'private mounts': 'no mount made on the host appears inside',
  'read-only root': 'the image stays as it was',
  'mount flags': 'nosuid and nodev on what can be written',
  'hidden kernel files': 'what names the host in /proc and /sys is hidden',
  'limits read back': 'each limit is read back from outside before the program starts',
  'death with the supervisor': 'SIGKILL of anything of ours ends the guest',
  'own stdio': "fds 0 to 2 are pipes, never the caller's terminal or file",
} as const;

export type Field = keyof typeof fields;
export type Property = keyof typeof properties;
export type RowName = Field | Property;

/** Something that an engine cannot do, and that is refused when it is asked for. */
export interface Refused {
  /** What of the row, for the table. */
  readonly what: string;
  /** Completes "ENGINE cannot enforce FIELD: …". */
  readonly why: string;
  /** The field that asks for it (`mounts[1].target`), or undefined when nothing does. */
  readonly asked: (profile: Profile, asking: Asking) => string | undefined;
}

/** Part of the default boundary that an engine lacks: a weakness of every run with it. */
export interface Lacking {
  /** A sentence that stands alone. */
  readonly why: string;
  /** Checks of `sandbox verify` that cannot hold for it. */
  readonly checks: readonly string[];
}

export interface Cell {
  /** Who enforces it; undefined where nobody does. */
  readonly by?: string;
  readonly refuses?: readonly Refused[];
  readonly lacks?: readonly Lacking[];
}

export type EngineMatrix = Readonly<Record<RowName, Cell>>;

/** What all engines leave to our own launcher, supervisor and compiler. */
export const ours = {
  timeout: { by: 'supervisor' },
  output: { by: 'supervisor' },
  leaf: { by: 'control group of the run' },
  readBack: { by: 'launch script' },
} as const satisfies Record<string, Cell>;
