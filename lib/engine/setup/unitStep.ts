// Owns the step that makes a systemd host prepare itself again at each boot, and the list of users that it is for.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import type { Step } from './step.ts';

const unitName = 'cofferdam-host.service';
const unitFile = `/etc/systemd/system/${unitName}`;

/** The unit of this installation. Throws HOST_UNPREPARED for a path that a unit file would read as something else. */
export function renderUnit(template: string, install: string, node = process.execPath): string {
  if (![install, node].every((path) => /^\/[A-Za-z0-9_./+-]+$/.test(path))) {
    throw new CofferdamError('HOST_UNPREPARED', 'the path of this installation cannot stand in a systemd unit', {
      remedy: 'install below a path of letters, digits and _ . / + -',
    });
  }
  return template.replaceAll('@INSTALL@', install).replaceAll('@NODE@', node);
}

/** Whether systemd is the host's init: sd_booted(3). */
export function isSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

export function unitStep(install: string): Step {
  const wanted = () => renderUnit(readFileSync(join(install, 'systemd', unitName), 'utf8'), install);
  const isEnabled = async () => {
    const { exitCode } = await runTool('systemctl', ['is-enabled', '--quiet', unitName], { accept: [0, 1, 4] });
    return exitCode === 0;
  };
  return {
    id: 'boot',
    title: 'the same again at each boot',
    async missing() {
      if (!isSystemd()) return undefined;
      if (readTextIfPresent(unitFile) !== wanted()) return unitFile;
      return (await isEnabled()) ? undefined : `${unitName} is not enabled`;
    },
    async apply() {
      writeFileAtomic(unitFile, wanted(), 0o644);
      await runTool('systemctl', ['daemon-reload']);
      await runTool('systemctl', ['enable', unitName]);
    },
  };
}

/** Names in the list of prepared users, one a line. */
export function parseUsers(text: string): string[] {
  return text.split('\n').filter((line) => /^[a-z_][a-z0-9_.-]{0,31}\$?$/i.test(line));
}

/** Remembers `user` for the boot. */
export function usersStep(user: string, file: string): Step {
  const users = () => parseUsers(readTextIfPresent(file) ?? '');
  return {
    id: 'users',
    title: `${user} in the list of prepared users`,
    async missing() {
      return users().includes(user) ? undefined : file;
    },
    async apply() {
      const all = [...new Set([...users(), user])].sort();
      writeFileAtomic(file, `${all.join('\n')}\n`, 0o644);
    },
  };
}
