// Owns the folders of the way out: of the daemon while it lives, and of what it writes down.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDirectory } from '../../base/files.ts';
import type { LineLog } from '../../base/lineLog.ts';
import { type Paths, resolvePaths } from '../../base/paths.ts';
import { type FirewallPlaces, firewallPlaces } from '../../firewall/record.ts';
import { leasesFolder } from '../../policy/lease.ts';

export interface EgressFolders {
  /** Closed to all others: who reaches the control socket is this uid, or root. */
  readonly folder: string;
  /** A folder for each run, with its socket. */
  readonly runs: string;
  /** A folder for each way that lasts while its sandbox does (lib/policy/lease.ts). */
  readonly leases: string;
  /** A folder for each Squid. */
  readonly squid: string;
  readonly control: string;
  /** Held by the one daemon while it lives. */
  readonly lock: string;
  /** Held by who starts it. */
  readonly startLock: string;
  /** What was let out and what was not, and what the daemon itself said. */
  readonly logs: string;
  /** Of files in `logs`. Default: for their owner alone. */
  readonly logMode?: number | undefined;
}

/** Where they are. Makes nothing. */
export function egressFolders(paths: Pick<Paths, 'run' | 'state'>): EgressFolders {
  const folder = join(paths.run, 'egress');
  return {
    folder,
    runs: join(folder, 'runs'),
    leases: leasesFolder(paths),
    squid: join(folder, 'squid'),
    control: join(folder, 'control.sock'),
    lock: join(folder, 'lock'),
    startLock: join(folder, 'start.lock'),
    logs: join(paths.state, 'egress'),
  };
}

/**
 * Makes them. A sandbox of root's passes them as a subordinate uid on the way to its mount, and Squid as its own: they can be searched
 * then, never listed; the control socket has a mode of its own. Throws DISK_FULL, TOOL_FAILED.
 */
export function ensureEgressFolders(paths: Pick<Paths, 'run' | 'state'>, uid: number): EgressFolders {
  const folders = egressFolders(paths);
  const passed = uid === 0 ? 0o711 : 0o700;
  for (const folder of [paths.run, folders.folder, folders.runs, folders.squid]) {
    ensureDirectory(folder, passed);
    // The process's umask may have taken bits away.
    chmodSync(folder, passed);
  }
  ensureDirectory(folders.leases);
  ensureDirectory(folders.logs);
  return folders;
}

/** Where the host's one wall keeps its files: root's, whoever asks. */
export function wallPlaces({ install }: Pick<Paths, 'install'>): FirewallPlaces {
  return firewallPlaces(resolvePaths({ uid: 0, env: {}, install }));
}

/** Every request that came to the proxy, a line of JSON each: `access.log`, at most 24 MiB with its predecessors. */
export function accessLog({ logs, logMode: mode }: Pick<EgressFolders, 'logs' | 'logMode'>): LineLog {
  return { folder: logs, mode, name: 'access', kept: 2, rotateAt: 8 << 20 };
}
