// Owns the way from a request to a plan: load, override, refuse, find the image, compile, index.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import type { Paths } from '../base/paths.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import { prepareCgroups } from '../engine/cgroupParents.ts';
import { supervisorGroup } from '../engine/cgroupUnit.ts';
import { selectIsolating } from '../engine/select.ts';
import { readHostIds, subidFiles } from '../engine/subids.ts';
import { definedImages } from '../image/definition.ts';
import { findImage, type InstalledImage, registryFiles } from '../image/find.ts';
import { refuseUnenforced } from '../profile/enforced.ts';
import { type HostConfig, loadHostConfig } from '../profile/hostConfig.ts';
import { type LoadedProfile, loadProfile } from '../profile/load.ts';
import { applyOverrides, type Overrides } from '../profile/overrides.ts';
import type { Profile } from '../profile/schema.ts';
import type { HostIds, ProgramIds } from '../spec/uidmap.ts';
import { copyOwner } from './copy.ts';
import { ensureRunFolders, type RunFolders } from './folders.ts';
import { freeBeforeStart } from './leftovers.ts';
import { keptPlans } from './life/keptPlans.ts';
import { compilePlan, type Plan } from './plan.ts';
import { type IndexInputs, trimPlans, writeIndex } from './planIndex.ts';
import { findPrepared, quickKey } from './repeated.ts';
import { checkAllowed, checkWayOut, type LeaseWayOut, type OpenWayOut } from './wayOut.ts';
import { type CheckedWorkspace, checkWorkspace, parseWorkspace } from './workspace.ts';

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

function programIds(mode: string, workspace: CheckedWorkspace | undefined, ids: HostIds): ProgramIds {
  if (workspace !== undefined && mode === 'rw')
    return { kind: 'owner', uid: workspace.ownerUid, gid: workspace.ownerGid };
  return mode === 'copy' ? copyOwner(ids) : { kind: 'slot' };
}

async function findWorkspace(
  wish: PlanWish,
  mode: string,
  host: Host,
  ids: HostIds,
): Promise<CheckedWorkspace | undefined> {
  if (wish.workspace === undefined) {
    if (mode === 'scratch') return undefined;
    throw new CofferdamError('WORKSPACE_INVALID', `the profile's workspace is "${mode}", so a folder must be named`, {
      remedy: `add --workspace DIR:${mode}`,
    });
  }
  const { source } = parseWorkspace(wish.workspace);
  if (mode !== 'ro' && mode !== 'rw' && mode !== 'copy') throw new RangeError(mode);
  const { cwd, paths, home, signal } = host;
  return checkWorkspace({ source, mode, cwd, ids, paths, home, signal });
}

interface Judged {
  readonly ceiling: HostConfig;
  readonly loaded: LoadedProfile;
  readonly profile: Profile;
}

function judge(wish: PlanWish, { paths, uid, cwd }: Host): Judged {
  const ceiling = loadHostConfig(paths.hostConfig);
  const loaded = loadProfile({ profile: wish.profile, cwd, paths, ceiling, uid });
  // A folder without a mode is read-only, unless the profile says which.
  const parsed = wish.workspace === undefined ? undefined : parseWorkspace(wish.workspace);
  const usual = loaded.profile.workspace.mode === 'scratch' ? 'ro' : loaded.profile.workspace.mode;
  const mode = parsed === undefined ? undefined : (parsed.mode ?? usual);
  const asked = applyOverrides(loaded, { ...wish.overrides, workspace: mode }, ceiling);
  const profile = wish.image === undefined ? asked : { ...asked, image: { name: wish.image, digest: undefined } };
  refuseUnenforced({ ...loaded, profile });
  checkAllowed(loaded);
  return { ceiling, loaded, profile };
}

/**
 * Everything before a start, by the plan of the same request before where that still holds. Throws whatever refuses the request (see docs/errors.md), and starts nothing. Frees what
 * dead runs left on the way. The claim of the workspace is the caller's to release.
 */
export async function preparePlan(wish: PlanWish, host: Host): Promise<Prepared> {
  return (await findPrepared(wish, host)) ?? compileAnew(wish, host);
}

async function compileAnew(wish: PlanWish, host: Host): Promise<Prepared> {
  const { paths, uid, gid, version } = host;
  const { ceiling, loaded, profile } = judge(wish, host);
  const engine = await selectIsolating(profile, ceiling.engines);
  const image = findImage(profile.image.name, paths.imageStores, profile.image.digest, definedImages(paths.install));
  checkWayOut(profile, image, host);
  const ids = readHostIds(uid, gid);
  const cgroups = await prepareCgroups(uid, profile.limits.enforce === 'strict');
  const folders = ensureRunFolders(paths, uid);
  const now = Date.now();
  await freeBeforeStart(host, cgroups, now);
  const workspace = await findWorkspace(wish, profile.workspace.mode, host, ids);
  const { labels } = loaded.profile;
  const limits = { ...profile.limits, timeout: loaded.profile.limits.timeout };
  const plan = await compilePlan({
    paths,
    version,
    profileName: loaded.name,
    profile: { ...profile, labels, limits },
    image,
    engine,
    ids,
    cgroups,
    program: programIds(profile.workspace.mode, workspace, ids),
    guarded: workspace?.guarded ?? [],
    collectsArtifacts: wish.collectsArtifacts,
    terminal: wish.terminal === true,
    mostTimeout: ceiling.limits.timeout,
  }).catch((error: unknown) => {
    workspace?.claim.release();
    throw error;
  });
  const { unit } = cgroups;
  const parents = cgroups.folders.map(({ path }) => (unit === undefined ? path : join(path, supervisorGroup)));
  const needed = [image.rootfs, ...parents, ...plan.folders];
  indexPlan({ wish, plan, loaded, host, folders, needed, callers: unit?.callers });
  trimPlans(folders.plans, now, () => keptPlans(paths));
  const floor = ceiling.limits.hostFreeDisk;
  return { plan, profile, folders, ids, floor, workspace, image, cgroups };
}

interface IndexRequest {
  readonly wish: PlanWish;
  readonly plan: Plan;
  readonly loaded: Pick<LoadedProfile, 'files' | 'absent'>;
  readonly host: Host;
  readonly folders: RunFolders;
  /** Folders beside ours that the launch needs. */
  readonly needed: readonly string[];
  /** Control groups from which the plan may be launched; undefined: all. */
  readonly callers: IndexInputs['callers'];
}

// Named by what was built: bin/sandbox must not even read the plan of another build, which may speak another language.
function buildFolders(install: string): string[] {
  const dist = join(install, 'dist');
  return readdirSync(dist)
    .filter((name) => name.startsWith('build-'))
    .map((name) => join(dist, name));
}

function indexPlan({ wish, plan, loaded, host, folders, needed, callers }: IndexRequest): void {
  const { network, ports } = plan.profile;
  // A way out is opened by Node, for each run, and a published port looked up.
  const key = network.mode === 'none' && ports.length === 0 ? quickKey(wish) : undefined;
  if (key === undefined) return;
  const { paths } = host;
  const registries = registryFiles(paths.imageStores);
  const stamp = join(paths.install, 'dist', 'build.json');
  writeIndex(folders.index, key, plan, {
    install: paths.install,
    files: [
      ...new Set([
        ...loaded.files,
        ...registries.filter((file) => existsSync(file)),
        stamp,
        join(paths.install, 'dist', 'native', 'supervise'),
        plan.engine.path,
        subidFiles.subuid,
        subidFiles.subgid,
      ]),
    ],
    absent: [...loaded.absent, ...registries.filter((file) => !existsSync(file))],
    folders: [folders.runs, folders.records, folders.slots, ...buildFolders(paths.install), ...needed],
    callers,
  });
}
