// Owns giving a request the plan that the same request had before, while nothing that it was made from has changed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupParents } from '../engine/cgroup.ts';
import { selectEngine } from '../engine/select.ts';
import { type HostConfig, loadHostConfig } from '../profile/hostConfig.ts';
import { applyOverrides } from '../profile/overrides.ts';
import type { Profile } from '../profile/schema.ts';
import type { HostIds } from '../spec/uidmap.ts';
import { runFolders } from './folders.ts';
import { freeBeforeStart } from './leftovers.ts';
import type { Plan } from './plan.ts';
import { findPlanned, readOwnCgroup } from './planEntry.ts';
import { indexKey } from './planIndex.ts';
import type { Host, PlanWish, Prepared } from './prepare.ts';
import { digestPlan } from './receipt/planFacts.ts';

/** The name of a request in the index: only of what bin/sandbox itself can express. No environment, no workspace, no artifacts. */
export function quickKey({ profile, overrides, workspace, collectsArtifacts, image }: PlanWish): string | undefined {
  const { env = [], publish = [], isolation, network, tool } = overrides;
  const plain =
    env.length === 0 && publish.length === 0 && [isolation, network, tool, image].every((one) => one === undefined);
  const { memory, cpus, pids, engine } = overrides;
  // In a key, nothing stands for what was not asked for; an empty word is asked for, and wrong.
  if ([memory, cpus, pids, engine].includes('')) return undefined;
  if (!plain || workspace !== undefined || collectsArtifacts) return undefined;
  return indexKey({ profile, ...overrides });
}

/** What plan.ts wrote into inputs.json. */
interface WrittenInputs {
  readonly profile: { readonly name: string; readonly resolved: Profile };
  readonly image: Prepared['image'];
  readonly engine: Plan['engine'];
  readonly kernel: string;
  readonly cgroups: CgroupParents;
  readonly ids: HostIds;
}

// Its digest says that plan.ts of this very build wrote it: the build is an input of the entry.
function readWritten(directory: string, digest: string): WrittenInputs | undefined {
  const files = new Map<string, string>();
  try {
    for (const name of readdirSync(directory)) files.set(name, readFileSync(join(directory, name), 'utf8'));
  } catch {
    return undefined;
  }
  const inputs = files.get('inputs.json');
  if (inputs === undefined || digestPlan(directory, digest, files) !== digest) return undefined;
  return JSON.parse(inputs) as WrittenInputs;
}

// What is bound at launch is no part of the plan: it is judged each time.
function bind(profile: Profile, { overrides: { timeout, labels } }: PlanWish, ceiling: HostConfig): Profile {
  return applyOverrides({ profile, where: () => 'the profile' }, { timeout, labels }, ceiling);
}

/**
 * What preparePlan would give, without compiling: undefined where the index has no plan for this request, or one of its
 * inputs has changed. Frees what dead runs left, as preparePlan does. Throws VALUE_INVALID and HOST_FORBIDS for what is bound at launch.
 */
export async function findPrepared(wish: PlanWish, host: Host): Promise<Prepared | undefined> {
  const { paths, uid } = host;
  const folders = runFolders(paths);
  const key = wish.terminal === true ? undefined : quickKey(wish);
  const digest = key === undefined ? undefined : findPlanned(join(folders.index, key), paths, readOwnCgroup());
  if (digest === undefined) return undefined;
  const directory = join(folders.plans, digest);
  const written = readWritten(directory, digest);
  if (written?.kernel !== readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()) return undefined;
  const { ids, cgroups, image, engine } = written;
  if (ids.callerUid !== uid) return undefined;
  const { name: profileName, resolved } = written.profile;
  const ceiling = loadHostConfig(paths.hostConfig);
  // What an engine keeps itself is no input of the entry: its daemon may be gone, or the image in it.
  if ((await selectEngine(engine.name, ceiling.engines)).sweep !== undefined) return undefined;
  const profile = bind(resolved, wish, ceiling);
  await freeBeforeStart(host, cgroups, Date.now());
  const launch = join(directory, 'launch');
  return {
    plan: { digest: `sha256:${digest}`, directory, launch, engine, profileName, profile: resolved, folders: [] },
    profile,
    folders,
    ids,
    floor: ceiling.limits.hostFreeDisk,
    workspace: undefined,
    image,
    cgroups,
  };
}
