// Owns the folders that runs live in, and making them with the modes they need.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDirectory } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';

export interface RunFolders {
  /** One folder per live run: config.json, the runtime's state and log. */
  readonly runs: string;
  /** One file per live run, written before anything it answers for. */
  readonly records: string;
  /** One file per pair of host ids in use. */
  readonly slots: string;
  /** Mount point for the artifacts tmpfs, used only inside a run's own mount namespace. */
  readonly collect: string;
  /** One line per ended run. */
  readonly log: string;
  readonly plans: string;
  readonly index: string;
  /** Copies of workspaces, by run. */
  readonly copies: string;
  /** One file per run that a live process of ours will complete. */
  readonly awaited: string;
}

/** Where they are. Makes nothing. */
export function runFolders(paths: Paths): RunFolders {
  return {
    runs: join(paths.run, 'runs'),
    records: join(paths.run, 'records'),
    slots: join(paths.run, 'slots'),
    collect: join(paths.run, 'collect'),
    log: join(paths.state, 'runs.log'),
    plans: join(paths.data, 'plans'),
    // The number is that of the entries' form: bin/sandbox reads no other.
    index: join(paths.data, 'plans', 'index-2'),
    copies: join(paths.state, 'copies'),
    awaited: join(paths.run, 'awaited'),
  };
}

/**
 * Makes them all. Those that root inside passes on its way to a mount source can be searched by everybody when we are
 * root (it is a subordinate id then), never listed. Throws DISK_FULL or TOOL_FAILED.
 */
export function ensureRunFolders(paths: Paths, uid: number): RunFolders {
  const folders = runFolders(paths);
  const passed = uid === 0 ? 0o711 : 0o700;
  for (const folder of [paths.data, paths.run, paths.state, folders.runs, folders.collect, folders.copies]) {
    ensureDirectory(folder, passed);
    // The process's umask may have taken bits away.
    chmodSync(folder, folder === paths.data && uid === 0 ? 0o755 : passed);
  }
  for (const folder of [folders.records, folders.slots, folders.plans, folders.index, folders.awaited])
    ensureDirectory(folder, 0o700);
  return folders;
}
