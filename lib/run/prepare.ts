// Owns what a request to start something is, and finding its plan: that of the same request before, or a new one.
import type { Paths } from '../base/paths.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import type { InstalledImage } from '../image/find.ts';
import type { Overrides } from '../profile/overrides.ts';
import type { Profile } from '../profile/schema.ts';
import type { HostIds } from '../spec/uidmap.ts';
import type { RunFolders } from './folders.ts';
import type { Plan } from './plan.ts';
import { findPrepared } from './repeated.ts';
import type { LeaseWayOut, OpenWayOut } from './wayOut.ts';
import type { CheckedWorkspace } from './workspace.ts';

/** Who asks, where, with which folders. */
export interface Host {
  readonly paths: Paths;
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  readonly version: string;
  /** $HOME, which is never a workspace as a whole. */
  readonly home: string | undefined;
  readonly signal: AbortSignal;
  /** Told, before anything starts, what a person should know; printable text. */
  readonly notice: (text: string) => void;
  /** Opens the way out of a run; without it a profile with `network: proxy` is refused. */
  readonly openWayOut?: OpenWayOut | undefined;
  /** Opens that of a sandbox that lives on. */
  readonly leaseWayOut?: LeaseWayOut | undefined;
  /** Opens those again whose daemon was killed. */
  readonly restoreWaysOut?: (() => Promise<unknown>) | undefined;
}

export interface PlanWish {
  /** Name of a profile, or a path with a `/`. */
  readonly profile: string;
  readonly overrides: Overrides;
  /** `DIR`, `DIR:ro`, `DIR:rw` or `DIR:copy`. */
  readonly workspace?: string | undefined;
  readonly collectsArtifacts: boolean;
  /** Whether the program is to have a terminal. */
  readonly terminal?: boolean;
  /** Another image than the profile's: only for checking an image. */
  readonly image?: string | undefined;
}

export interface Prepared {
  readonly plan: Plan;
  /** As the caller asked; the plan's own has what is bound at launch (timeout, labels) as the profile says. */
  readonly profile: Profile;
  readonly folders: RunFolders;
  readonly ids: HostIds;
  /** Bytes that stay free on the host. */
  readonly floor: number;
  readonly workspace: CheckedWorkspace | undefined;
  readonly image: Pick<InstalledImage, 'name' | 'version' | 'digest'>;
  /** Where the leaves go. */
  readonly cgroups: CgroupParents;
}

/**
 * Everything before a start, by the plan of the same request before where that still holds. Throws whatever refuses the request (see docs/errors.md), and starts nothing. Frees what
 * dead runs left on the way. The claim of the workspace is the caller's to release.
 */
export async function preparePlan(wish: PlanWish, host: Host): Promise<Prepared> {
  const prepared = await findPrepared(wish, host);
  if (prepared !== undefined) return prepared;
  // Most of what compiling takes is needed by nothing else.
  const { compileAnew } = await import('./compile.ts');
  return compileAnew(wish, host);
}
