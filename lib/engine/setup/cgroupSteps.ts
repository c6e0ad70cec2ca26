// Owns the steps for control groups: parents that callers may make leaves in, and two mounts that last until reboot.
import { accessSync, chownSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runTool } from '../../base/exec.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { type CgroupParents, parseCgroupMounts } from '../cgroup.ts';
import { ensureCgroupParents } from '../cgroupParents.ts';
import { locateCgroups } from '../cgroupPlace.ts';
import { handDown, handsDown, isClaimed } from '../cgroupUnit.ts';
import type { Account } from './accounts.ts';
import { delegationOf } from './runsUnitStep.ts';
import type { Step } from './step.ts';

/** Files of a delegated v2 group that its user writes (cgroup-v2, "Delegation"). In v1 new leaves are their maker's. */
const delegated = ['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'];

// Under systemd no folder is made behind its back: root's unit is started here, a user's by the user's first run.
function unitOf(account: Account, { unit, folders }: CgroupParents): Pick<Step, 'missing' | 'apply'> | undefined {
  if (unit === undefined) return undefined;
  if (account.uid !== 0) return delegationOf(account.uid);
  return {
    async missing() {
      const lacks = folders.filter(({ path }) => !isClaimed(path));
      return lacks.length === 0 ? undefined : lacks.map(({ path }) => path).join(' ');
    },
    apply: () => ensureCgroupParents(locateCgroups(0), 0),
  };
}

/** The folders in which `account` makes the leaves of its runs. */
export function cgroupStep(account: Account): Step {
  const parents = () => locateCgroups(account.uid);
  const isReady = (path: string, version: 1 | 2) =>
    existsSync(path) &&
    statSync(path).uid === account.uid &&
    (version === 1 || (handsDown(path) && handsDown(dirname(path))));
  return {
    id: `cgroups-${account.name}`,
    title: `control groups of ${account.name}`,
    async missing() {
      const found = parents();
      const unit = unitOf(account, found);
      if (unit !== undefined) return unit.missing();
      const lacks = found.folders.filter(({ path }) => !isReady(path, found.version));
      return lacks.length === 0 ? undefined : lacks.map(({ path }) => path).join(' ');
    },
    async apply() {
      const found = parents();
      const unit = unitOf(account, found);
      if (unit !== undefined) return unit.apply();
      for (const { path } of found.folders) {
        const top = dirname(path);
        mkdirSync(path, { recursive: true, mode: 0o755 });
        // A controller reaches a group only where every group above hands it down.
        if (found.version === 2) for (const folder of [dirname(top), top, path]) handDown(folder);
        for (const file of found.version === 2 ? delegated : []) chownSync(join(path, file), account.uid, account.gid);
        chownSync(path, account.uid, account.gid);
      }
    },
  };
}

function readMounts(): string {
  return readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '';
}

/** Whether the cgroup2 mount in the text of mountinfo carries favordynmods; undefined without such a mount. */
export function favoursMoves(mountinfo: string): boolean | undefined {
  const line = mountinfo.split('\n').find((candidate) => candidate.includes(' - cgroup2 '));
  return line === undefined ? undefined : /[ ,]favordynmods(,|$)/.test(line.trim());
}

/** The first move into a group waits 5 to 20 ms for an RCU grace period without it (Linux 6.0; DESIGN.md, measured). */
export const fastMovesStep: Step = {
  id: 'favordynmods',
  title: 'fast moves between control groups',
  optional: true,
  async missing() {
    return favoursMoves(readMounts()) === false ? 'favordynmods on the cgroup2 mount' : undefined;
  },
  async apply() {
    const { v2 } = parseCgroupMounts(readMounts());
    if (v2 !== undefined) await runTool('mount', ['-o', 'remount,favordynmods', v2]);
  },
};

/** Controllers that stayed on cgroup2 of a host that has the others on v1. */
export function strayControllers(mountinfo: string, onV2: string): string[] {
  const { v1, v2 } = parseCgroupMounts(mountinfo);
  return v1.has('memory') && v2 !== undefined
    ? onV2
        .trim()
        .split(/\s+/)
        .filter((name) => name !== '')
    : [];
}

function listStray(): string[] {
  const mounts = readMounts();
  const { v2 } = parseCgroupMounts(mounts);
  return strayControllers(mounts, v2 === undefined ? '' : (readTextIfPresent(join(v2, 'cgroup.controllers')) ?? ''));
}

/**
 * crun 1.8 refuses a hybrid host while any controller is on cgroup2, also when it manages no cgroups: each gets a v1
 * hierarchy of its own.
 */
export const strayStep: Step = {
  id: 'stray-controllers',
  title: 'one cgroup version for all controllers',
  async missing() {
    const stray = listStray();
    return stray.length === 0 ? undefined : `${stray.join(', ')} on cgroup2 only`;
  },
  async apply() {
    const { v1 } = parseCgroupMounts(readMounts());
    const top = dirname(v1.get('memory') ?? '/sys/fs/cgroup/memory');
    for (const name of listStray()) {
      const point = join(top, name);
      mkdirSync(point, { recursive: true, mode: 0o755 });
      accessSync(point, constants.X_OK);
      await runTool('mount', ['-t', 'cgroup', '-o', `nosuid,nodev,noexec,${name}`, 'cgroup', point]);
    }
  },
};
