// Owns finding, emptying and removing the control groups of dead runs, in the folders that the run's own plan names, too.
import { lstatSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { list, open, text } from '../base/shape.ts';
import { listNames, readOwnFile } from './ownFiles.ts';
import { digestPlan } from './receipt/planFacts.ts';

/** Of statfs(2): CGROUP_SUPER_MAGIC and CGROUP2_SUPER_MAGIC (linux/magic.h). */
const cgroupTypes = [0x27e0eb, 0x63677270];
const cgroupRoot = '/sys/fs/cgroup/';
const mostPlanFile = 16 << 20;

/** Loose: another version of ours may have written more. */
const inputsShape = open({ cgroups: open({ folders: list(open({ path: text })) }) });

/**
 * The folders that plan `digest` puts leaves below: another unit of systemd than the caller's, or none any more. Only a plan
 * whose content has its digest, and only real folders of a cgroup file system.
 */
export function plannedParents(plans: string, digest: string): string[] {
  const folder = join(plans, digest);
  const files = new Map<string, string>();
  try {
    for (const name of listNames(folder)) {
      const read = readOwnFile(join(folder, name), mostPlanFile);
      if (read.kind !== 'file') return [];
      files.set(name, read.text);
    }
    if (digestPlan(folder, digest, files) !== digest) return [];
    const inputs = inputsShape(JSON.parse(files.get('inputs.json') ?? ''));
    return inputs.cgroups.folders.map(({ path }) => path).filter(isCgroup);
  } catch {
    // Not a plan that we can read: what it named is unknown, and its run is freed as far as it is known.
    return [];
  }
}

/** Whether `path` is, without a link or `..` in its text, a folder of a cgroup file system. */
export function isCgroup(path: string): boolean {
  try {
    const plain = path.startsWith(cgroupRoot) && resolve(path) === path;
    return plain && lstatSync(path).isDirectory() && cgroupTypes.includes(statfsSync(path).type);
  } catch {
    return false;
  }
}

function childrenOf(group: string): string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(group, name));
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  }
}

function pidsIn(group: string): number[] {
  try {
    // 0 stands for a process of another pid namespace; kill(0) would be our own process group.
    return readFileSync(join(group, 'cgroup.procs'), 'latin1')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 1);
  } catch (cause) {
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(errnoOf(cause) ?? '')) return [];
    throw cause;
  }
}

/** Whether anything runs in a group or below it. */
export function hasMembers(group: string): boolean {
  return pidsIn(group).length > 0 || childrenOf(group).some(hasMembers);
}

function tryWrite(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function killGroup(group: string): void {
  const pids = pidsIn(group);
  // No new processes, or a fork bomb outruns us.
  if (pids.length > 0) tryWrite(join(group, 'pids.max'), '0');
  // v1 has no cgroup.kill, and Node no pidfd: a pid that ended since it was listed could be another's by now. The
  // supervisor, which ends runs when it lives, has pidfds; here its guests died with it, and this is the second wall.
  if (pids.length > 0 && !tryWrite(join(group, 'cgroup.kill'), '1')) for (const pid of pids) killPid(pid);
  // v1: what is frozen (lib/run/life/freezer.ts) dies of its signal when it is thawed, and not before.
  if (pids.length > 0) tryWrite(join(group, 'freezer.state'), 'THAWED');
  for (const child of childrenOf(group)) killGroup(child);
}

function removeGroup(group: string): void {
  for (const child of childrenOf(group)) removeGroup(child);
  try {
    rmdirSync(group);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Kills what is in a leaf and removes it; false when it would not go within a second. Starts no process. */
export async function removeLeaf(leaf: string): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    killGroup(leaf);
    try {
      removeGroup(leaf);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EBUSY') throw error;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return false;
}
