// Owns the units of the host firewall: one loads the confirmed rules at boot, before the network; one watches over them.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../base/exec.ts';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { isSystemd, renderUnit } from '../engine/setup/unitStep.ts';

const loader = 'cofferdam-firewall.service';
const watcher = 'cofferdam-firewall-watch.service';
const fileOf = (unit: string) => `/etc/systemd/system/${unit}`;

/** Enables the units; false on a host without systemd, where a person's own boot must load the file. */
export async function enableBoot(install: string): Promise<boolean> {
  if (!isSystemd()) return false;
  for (const unit of [loader, watcher]) {
    const wanted = renderUnit(readFileSync(join(install, 'systemd', unit), 'utf8'), install);
    if (readTextIfPresent(fileOf(unit)) !== wanted) {
      writeFileAtomic(fileOf(unit), wanted, 0o644);
      await runTool('systemctl', ['daemon-reload']);
    }
    await runTool('systemctl', ['enable', '--quiet', unit]);
  }
  await runTool('systemctl', ['restart', '--no-block', watcher]);
  return true;
}

/** Takes the units away. */
export async function disableBoot(): Promise<void> {
  const there = [watcher, loader].filter((unit) => readTextIfPresent(fileOf(unit)) !== undefined);
  if (!isSystemd() || there.length === 0) return;
  for (const unit of there) {
    // The watcher alone is a process; the loader's rules are gone already.
    await runTool('systemctl', ['disable', '--quiet', ...(unit === watcher ? ['--now'] : []), unit]);
    rmSync(fileOf(unit), { force: true });
  }
  await runTool('systemctl', ['daemon-reload']);
}
