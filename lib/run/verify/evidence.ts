// Owns what checks are judged on: what was asked for, what /proc shows of the program, what the program itself met.
import type { Profile } from '../../profile/schema.ts';
import type { HostIds } from '../../spec/uidmap.ts';
import type { Attempts } from './report.ts';

/** What the sandbox was asked to be; known before it is started. */
export interface Expected {
  readonly id: string;
  readonly profile: Profile;
  /** `crun`, `podman`. */
  readonly engine: string;
  readonly ids: HostIds;
  /** Owner of a writable workspace, whose uid the program then has. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly cgroupVersion: 1 | 2;
}

/** /proc of one process at one moment. Every reader throws for what could not be read: that is never taken for "empty". */
export interface Facts {
  readonly pid: number;
  /** Text of `/proc/PID/NAME`. */
  text(name: string): string;
  /** Links in `/proc/PID/fd` or `/proc/PID/ns`: name → target. */
  links(folder: 'fd' | 'ns'): ReadonlyMap<string, string>;
  /** Whether the host has this path; the same for every process. */
  hostHas(path: string): boolean;
  /** Whether we can read something from a (small) file or folder of the host. */
  hostFills(path: string): boolean;
  /** Release of the host's kernel: `6.1.0-18-amd64`; the same for every process. */
  readonly kernel: string;
}

export interface Evidence {
  readonly expected: Expected;
  /** Ours: what the sandbox must differ from. */
  readonly host: Facts;
  /** The probe, after its attempts. */
  readonly program: Facts;
  /** PID 1 inside; outside of a sandbox there is none. */
  readonly init: Facts | undefined;
  /** Host pids of all in the sandbox: its own pid namespace, not the runtime around it. */
  readonly members: readonly number[];
  /** Host pids of processes elsewhere that have the program's uid. */
  readonly strangers: readonly number[];
  /** Limit files of the program's control groups that exist: `pids.max` → text. */
  readonly limits: ReadonlyMap<string, string>;
  /** Whether a process of ours watches the program's memory group for the OOM killer; v1 only. */
  readonly oomWatched: boolean;
  readonly attempts: Attempts;
  /** Under gVisor, where `program` is the sentry. */
  readonly around?: AroundGuest;
}

/** The processes around a guest whose kernel is one of them, and what the guest sees of itself. */
export interface AroundGuest {
  readonly sentry: Facts;
  readonly gofer: Facts;
  readonly guest: { readonly program: Facts; readonly init: Facts };
}
