// Owns the unit that loads the confirmed rules at boot, before the network.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../base/exec.ts';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { isSystemd } from '../engine/setup/unitStep.ts';

const unitName = 'cofferdam-firewall.service';
const unitFile = `/etc/systemd/system/${unitName}`;

/** Enables the unit; false on a host without systemd, where a person's own boot must load the file. */
export async function enableBoot(install: string): Promise<boolean> {
  if (!isSystemd()) return false;
  const wanted = readFileSync(join(install, 'systemd', unitName), 'utf8');
  if (readTextIfPresent(unitFile) !== wanted) {
    writeFileAtomic(unitFile, wanted, 0o644);
    await runTool('systemctl', ['daemon-reload']);
  }
  await runTool('systemctl', ['enable', '--quiet', unitName]);
  return true;
}

/** Takes the unit away. */
export async function disableBoot(): Promise<void> {
  if (!isSystemd() || readTextIfPresent(unitFile) === undefined) return;
  await runTool('systemctl', ['disable', '--quiet', unitName]);
  rmSync(unitFile, { force: true });
  await runTool('systemctl', ['daemon-reload']);
}
