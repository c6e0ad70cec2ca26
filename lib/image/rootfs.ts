// Owns what every root filesystem of ours has: fixed mount points, and nothing that misleads a runtime.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';

/** Folders that a sandbox mounts over. A missing one would be made by the runtime *inside the image*. */
export const mountPoints = ['/proc', '/sys', '/dev', '/run', '/tmp', '/workspace', '/artifacts', '/sandbox'] as const;
/** Where the way out stands. An image that was built before there was one lacks it, and is refused for `network: proxy` alone. */
export const bridgePoint = '/proxy-sock';
/** The empty file that our init is bound onto. */
export const initFile = '/.cofferdam/init';

/**
 * Throws IMAGE_UNSAFE when a mount point below `rootfs` is missing or no real folder: runtimes have followed links
 * there onto the host (CVE-2026-41579, CVE-2026-47766).
 */
export function checkRootfs(rootfs: string): void {
  const kinds: [string, 'folder' | 'file'][] = [
    ['/', 'folder'],
    ['/.cofferdam', 'folder'],
    ['/etc', 'folder'],
    ...mountPoints.map((point): [string, 'folder'] => [point, 'folder']),
    [initFile, 'file'],
  ];
  for (const [path, kind] of kinds) {
    const found = lstatSync(join(rootfs, path), { throwIfNoEntry: false });
    const right = kind === 'folder' ? found?.isDirectory() : found?.isFile();
    if (right === true) continue;
    const fault = found === undefined ? 'is missing' : found.isSymbolicLink() ? 'is a link' : `is no ${kind}`;
    throw new CofferdamError('IMAGE_UNSAFE', `${path} ${fault} in ${rootfs}`);
  }
}
