// Owns profile + image + request → OCI spec. Pure: the same input gives the same bytes.
import type { Profile } from '../profile/schema.ts';
import { buildEnvironment, proxyPort } from './environment.ts';
import { buildMounts, initTarget, type WorkspaceSource, wayOutTarget, writablePlaces } from './mounts.ts';
import type { OciSpec } from './types.ts';
import type { SlotMap } from './uidmap.ts';

export interface SpecRequest {
  readonly profile: Profile;
  /** Absolute path of the image's root filesystem. */
  readonly rootfs: string;
  readonly init: string;
  /** The filter as BPF, and the same as an OCI section for runtimes that do not know the annotation. */
  readonly seccomp: { readonly bpf: Uint8Array; readonly oci: unknown };
  readonly ids: SlotMap;
  /** Whether root runs us: only then is RLIMIT_NPROC counted for the sandbox alone. */
  readonly callerIsRoot: boolean;
  readonly workspace: WorkspaceSource;
  readonly artifacts: string | undefined;
  /** Folder with the socket of the way out. */
  readonly wayOut: string | undefined;
  readonly argv: readonly string[];
  readonly runId: string;
  readonly taskId: string;
  readonly jobId: string;
}

/** What the default of container engines hides, plus what names the host (kallsyms, keys, timer_list, cmdline). */
export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/bootconfig',
  '/proc/bus',
  '/proc/cmdline',
  '/proc/interrupts',
  '/proc/kallsyms',
  '/proc/kcore',
  '/proc/key-users',
  '/proc/keys',
  '/proc/kmsg',
  '/proc/kpagecount',
  '/proc/kpageflags',
  '/proc/latency_stats',
  '/proc/modules',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/slabinfo',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/vmallocinfo',
  '/sys/class/dmi',
  '/sys/devices/virtual/dmi',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  '/sys/fs/bpf',
  '/sys/fs/selinux',
  '/sys/kernel/debug',
  '/sys/kernel/security',
  '/sys/kernel/tracing',
] as const;

export const readonlyPaths = ['/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger', '/proc/tty'] as const;

function resourceLimits(profile: Profile, ownUid: boolean): OciSpec['process']['rlimits'] {
  const both = (type: string, value: number) => ({ type, soft: value, hard: value });
  return [
    both('RLIMIT_NOFILE', profile.limits.openFiles),
    both('RLIMIT_FSIZE', profile.limits.fileSize),
    // 1, not 0: with a pipe in core_pattern the kernel ignores 0 and runs the host's handler (core(5)).
    both('RLIMIT_CORE', 1),
    // A second wall behind pids.max, and one further: the kernel looks at it before it asks the control group, which is who tells
    // of refused forks. The runtime sets it while it still has the caller's uid, and the kernel counts by uid
    // (setrlimit(2)): for a plain user all of the user's own processes would count.
    ...(ownUid ? [both('RLIMIT_NPROC', profile.limits.pids + 1)] : []),
  ];
}

/** PID 1 and its options; the program's own words follow. */
export function initWords({ network }: Pick<Profile, 'network'>): string[] {
  const forwards = network.mode === 'proxy' ? ['-f', `${proxyPort}=${wayOutTarget}/proxy.sock`] : [];
  return [initTarget, '-p', 'SIGKILL', '-g', ...forwards, '--'];
}

/** The spec of one run, or of a plan when ids, argv and names are placeholders. Throws nothing. */
export function buildSpec(request: SpecRequest): OciSpec {
  const { profile, workspace } = request;
  const ownUid = request.callerIsRoot && workspace.mode !== 'rw';
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: profile.user.uid, gid: profile.user.gid, umask: 0o022 },
      args: [...initWords(profile), ...request.argv],
      env: buildEnvironment({ ...request, ...writablePlaces(workspace.mode) }),
      cwd: profile.workdir,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      rlimits: resourceLimits(profile, ownUid),
      noNewPrivileges: true,
    },
    root: { path: request.rootfs, readonly: true },
    hostname: 'sandbox',
    mounts: buildMounts(request),
    annotations: {
      // crun loads these bytes as they are, instead of compiling the section below at every start (crun(1)).
      'run.oci.seccomp_bpf_data': Buffer.from(request.seccomp.bpf).toString('base64'),
    },
    linux: {
      uidMappings: request.ids.uidMappings,
      gidMappings: request.ids.gidMappings,
      namespaces: ['pid', 'ipc', 'uts', 'network', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
      maskedPaths: [...maskedPaths],
      readonlyPaths: [...readonlyPaths],
      // No rootfsPropagation: then crun makes the whole tree private. Its word "private" does so with the root alone, and
      // mounts that are shared on a systemd host would stay tied to the host's.
      seccomp: request.seccomp.oci,
    },
  };
}
