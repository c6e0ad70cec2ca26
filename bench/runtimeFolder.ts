// Owns the runtime folder of a benchmark: in memory, as a login under systemd has it (pam_systemd(8)), for us and the peers alike.
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** statfs(2). */
const tmpfsMagic = 0x01021994;

/** A plain user's podman leaves a process that holds its namespaces (podman-system-migrate(1)). */
function endPodmans(folder: string): void {
  const file = join(folder, 'libpod/tmp/pause.pid');
  if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')));
}

/** XDG_RUNTIME_DIR where that is in memory; else one that is, set for all that we start and gone with us. Says so. */
export function useRuntimeFolder(): string {
  const own = process.env['XDG_RUNTIME_DIR'];
  if (own !== undefined && existsSync(own) && statfsSync(own).type === tmpfsMagic) return own;
  const folder = mkdtempSync('/dev/shm/cofferdam-bench-');
  if (statfsSync(folder).type !== tmpfsMagic) throw new Error('/dev/shm is not in memory');
  process.env['XDG_RUNTIME_DIR'] = folder;
  process.on('exit', () => {
    endPodmans(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  process.stderr.write(`XDG_RUNTIME_DIR is on a disk here; all are measured with ${folder}\n`);
  return folder;
}
