// Owns which places of the host are never a workspace or an artifacts folder: the system's, ours, and home folders.
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { findTool } from '../engine/tools.ts';

/** Nothing at or below them. */
const systemTrees = [
  '/proc',
  '/sys',
  '/dev',
  '/etc',
  '/boot',
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/run',
];
/** Not these themselves: they hold many people's folders. What lies below is judged by its owner. */
const sharedFolders = [
  '/',
  '/home',
  '/root',
  '/tmp',
  '/opt',
  '/srv',
  '/mnt',
  '/media',
  '/var',
  '/var/tmp',
  '/var/lib',
  '/var/cache',
  '/var/log',
  '/var/spool',
  '/var/run',
];

/** Whether `path` is `folder` or lies below it; both absolute and real. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** As realpath(3), for a path whose last parts may not exist yet. */
export function realish(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const parent = dirname(path);
    if (parent === path || (errnoOf(cause) !== 'ENOENT' && errnoOf(cause) !== 'EACCES')) return resolve(path);
    return join(realish(parent), basename(path));
  }
}

/** All folders of ours, real. */
export function ownFolders(paths: Paths): string[] {
  const { config, data, state, run, install, imageStores, hostConfig } = paths;
  return [config, data, state, run, install, ...imageStores, dirname(hostConfig)].map(realish);
}

async function homesOf(uids: readonly number[], home: string | undefined): Promise<string[]> {
  const getent = findTool('getent');
  const known: (string | undefined)[] = [home];
  if (getent !== undefined) {
    // 2: no such account.
    const { stdout } = await runTool(getent, ['passwd', ...new Set(uids.map(String))], { accept: [0, 2] });
    known.push(...stdout.split('\n').map((line) => line.split(':')[5]));
  }
  return known.filter((path) => path?.startsWith('/') && path !== '/').map((path) => realish(path ?? ''));
}

export interface PlaceRequest {
  /** Absolute and real. */
  readonly path: string;
  readonly paths: Paths;
  readonly home: string | undefined;
  /** Whose home folders count. */
  readonly uids: readonly number[];
}

export interface PlaceFault {
  /** What follows the path in a sentence. */
  readonly why: string;
  readonly remedy: string;
}

/**
 * Why a folder is none for a sandbox, or undefined: the system's folders, those that hold or lie in ours, and home folders,
 * which hold keys and start files that the host runs. In every mode, also read-only: what a guest reads it can take along.
 */
export async function findPlaceFault({ path, paths, home, uids }: PlaceRequest): Promise<PlaceFault | undefined> {
  const remedy = 'name a folder of one project';
  const system = systemTrees.map(realish).some((tree) => isWithin(path, tree));
  if (system || sharedFolders.map(realish).includes(path)) return { why: 'is a folder of the system', remedy };
  const own = ownFolders(paths).find((folder) => isWithin(path, folder) || isWithin(folder, path));
  if (own !== undefined) {
    return { why: `holds or lies in ${printable(own)}, where Cofferdam keeps its own files`, remedy };
  }
  const homes = await homesOf(uids, home);
  if (!homes.some((folder) => isWithin(folder, path))) return undefined;
  return { why: 'is or holds a home folder, with its keys and start files', remedy };
}
