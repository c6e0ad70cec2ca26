// Owns the steps for systemd on cgroup v2: the unit that holds runs, and controllers for users' own systemd.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runTool } from '../../base/exec.ts';
import { ensureDirectory, readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import { controllers, parseCgroupMounts } from '../cgroup.ts';
import { readCgroupHost, runsUnit } from '../cgroupPlace.ts';
import type { Step } from './step.ts';

/** For the system's systemd, and for that of each user: the same text. */
export const runsUnitFiles = [`/etc/systemd/system/${runsUnit}`, `/etc/systemd/user/${runsUnit}`] as const;

function isNeeded(): boolean {
  const { systemd, mountinfo } = readCgroupHost();
  return systemd && !parseCgroupMounts(mountinfo).v1.has('memory');
}

function writeUnitFile(file: string, text: string): void {
  ensureDirectory(dirname(file), 0o755);
  writeFileAtomic(file, text, 0o644);
}

/** The unit, where it is known but not started: root's is started by the next step, a user's by a run. */
export function runsUnitStep(install: string): Step {
  const wanted = () => readFileSync(join(install, 'systemd', runsUnit), 'utf8');
  return {
    id: 'runs-unit',
    title: 'the unit that holds runs',
    async missing() {
      if (!isNeeded()) return undefined;
      const lacks = runsUnitFiles.filter((file) => readTextIfPresent(file) !== wanted());
      return lacks.length === 0 ? undefined : lacks.join(' ');
    },
    async apply() {
      for (const file of runsUnitFiles) writeUnitFile(file, wanted());
      await runTool('systemctl', ['daemon-reload']);
    },
  };
}

/**
 * Whether a user's systemd gets the controllers, and a drop-in where it does not (before systemd 252 it had no cpu). It holds
 * from the user's next login on.
 */
export function delegationOf(uid: number): Pick<Step, 'missing' | 'apply'> {
  return {
    async missing() {
      const show = ['show', '--property=DelegateControllers', '--value', '--', `user@${uid}.service`];
      const given = (await runTool('systemctl', show)).stdout.trim().split(' ');
      const lacks = controllers.filter((name) => !given.includes(name));
      return lacks.length === 0 ? undefined : `user@${uid}.service is not given ${lacks.join(' ')}`;
    },
    async apply() {
      const text = `[Service]\nDelegate=${controllers.join(' ')}\n`;
      writeUnitFile('/etc/systemd/system/user@.service.d/cofferdam.conf', text);
      await runTool('systemctl', ['daemon-reload']);
    },
  };
}
