// Owns making and checking the folders below which leaves are made.
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { boundsRuns, type CgroupParents } from './cgroup.ts';
import { locateCgroups } from './cgroupPlace.ts';
import { claimUnit, handDown, isClaimed, startRunsUnit } from './cgroupUnit.ts';

type Folder = CgroupParents['folders'][number];

function refuse(folder: Folder, uid: number, cause: unknown): CofferdamError {
  return new CofferdamError(
    'LIMIT_UNENFORCEABLE',
    `limits cannot be applied: ${folder.path} is missing or not ours to write`,
    { remedy: uid === 0 ? 'see: sandbox doctor' : 'as root: sandbox setup --user "$USER"', cause },
  );
}

async function ensureFolder(parents: CgroupParents, folder: Folder, uid: number): Promise<void> {
  const { path } = folder;
  const { unit, version } = parents;
  if (unit?.kind === 'runs' && !existsSync(path)) await startRunsUnit(unit, uid);
  try {
    if (unit !== undefined && !isClaimed(path)) claimUnit(path);
    if (unit === undefined && uid === 0 && !existsSync(path)) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
      // A controller reaches a group only where every group above hands it down (cgroup-v2.rst).
      if (version === 2) for (const above of [dirname(dirname(path)), dirname(path), path]) handDown(above);
    }
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw refuse(folder, uid, cause);
  }
}

/**
 * Makes sure that leaves can be made: starts or claims the unit, root makes missing folders (they are gone after a reboot),
 * anybody else needs those that `sandbox setup` made. Throws LIMIT_UNENFORCEABLE.
 */
export async function ensureCgroupParents(parents: CgroupParents, callerUid: number): Promise<void> {
  for (const folder of parents.folders.filter(boundsRuns)) await ensureFolder(parents, folder, callerUid);
}

/**
 * The parents of this caller's leaves, ready. With `strict` false, those that could be had: folders are missing from the
 * answer, and the launch script says which limits went with them. So it is always with the freezer, which is no limit. Throws LIMIT_UNENFORCEABLE, HOST_UNPREPARED when strict.
 */
export async function prepareCgroups(uid: number, strict: boolean): Promise<CgroupParents> {
  let parents: CgroupParents = { version: 2, folders: [] };
  try {
    parents = locateCgroups(uid);
  } catch (error) {
    if (strict) throw error;
  }
  const ready: Folder[] = [];
  for (const folder of parents.folders) {
    try {
      await ensureFolder(parents, folder, uid);
      ready.push(folder);
    } catch (error) {
      if (strict && boundsRuns(folder)) throw error;
    }
  }
  return { ...parents, folders: ready };
}
