// Owns the way from a request to a plan of its own: load, override, refuse, find the image, compile, index.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { prepareCgroups } from '../engine/cgroupParents.ts';
import { supervisorGroup } from '../engine/cgroupUnit.ts';
import { selectIsolating } from '../engine/select.ts';
import { readHostIds, subidFiles } from '../engine/subids.ts';
import { definedImages } from '../image/definition.ts';
import { findImage, registryFiles } from '../image/find.ts';
import { refuseUnenforced } from '../profile/enforced.ts';
import { type HostConfig, loadHostConfig } from '../profile/hostConfig.ts';
import { type LoadedProfile, loadProfile } from '../profile/load.ts';
import { applyOverrides } from '../profile/overrides.ts';
import type { Profile } from '../profile/schema.ts';
import type { HostIds, ProgramIds } from '../spec/uidmap.ts';
import { copyOwner } from './copy.ts';
import { ensureRunFolders, type RunFolders } from './folders.ts';
import { freeBeforeStart } from './leftovers.ts';
import { keptPlans } from './life/keptPlans.ts';
import { compilePlan, type Plan } from './plan.ts';
import { type IndexInputs, trimPlans, writeIndex } from './planIndex.ts';
import type { Host, PlanWish, Prepared } from './prepare.ts';
import { quickKey } from './repeated.ts';
import { checkAllowed, checkWayOut } from './wayOut.ts';
import { type CheckedWorkspace, checkWorkspace, parseWorkspace } from './workspace.ts';

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

/** Everything before a start. Throws whatever refuses the request; the claim of the workspace is the caller's to release. */
export async function compileAnew(wish: PlanWish, host: Host): Promise<Prepared> {
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
    homes: paths,
    uid: host.uid,
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
