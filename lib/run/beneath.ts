// Owns reaching what lies below a folder by descriptors, so that no link on the way is followed, with names as bytes.
import { closeSync, constants, openSync } from 'node:fs';
import { printable } from '../base/printable.ts';

/** A path below some folder, one character per byte (latin1): a guest chooses names that are no UTF-8. Never begins with `/`. */
export type BytePath = string;

export function toBytes(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

export function fromBytes(path: Uint8Array): BytePath {
  return Buffer.from(path).toString('latin1');
}

/** As text, for mounts and JSON; undefined when the bytes are no UTF-8. */
export function decodePath(path: BytePath): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(toBytes(path));
  } catch {
    return undefined;
  }
}

/** For people and JSON: one harmless line, whole up to the longest path that the kernel takes (PATH_MAX). */
export function showPath(path: BytePath): string {
  return printable(decodePath(path) ?? path, 4096);
}

// O_PATH (open(2)) needs no permission to read the folder; Node does not name it. The same on x86_64 and aarch64.
const pathOnly = 0o10000000;
const folderFlags = pathOnly | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Path of `name` in an open folder. Node has no openat(2); the kernel resolves /proc/self/fd/N to that very folder. */
export function at(folder: number, name: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), toBytes(name)]);
}

/** The open folder itself, as a path that can be listed. */
export function folderPath(folder: number): string {
  return `/proc/self/fd/${folder}`;
}

/** Opens an absolute path as it is; a link as its last part is an error (ENOTDIR). The caller closes it. */
export function openRoot(path: string | Buffer): number {
  return openSync(path, folderFlags);
}

/** Opens an absolute path without following a link at any step. The caller closes it. */
export function openReal(path: string): number {
  const root = openRoot('/');
  try {
    return path === '/' ? openRoot('/') : withParent(root, fromBytes(Buffer.from(path.slice(1))), openFolder);
  } finally {
    closeSync(root);
  }
}

/** Opens a folder in a folder; a link or a file is an error (ENOTDIR). The caller closes it. */
export function openFolder(parent: number, name: BytePath): number {
  return openSync(at(parent, name), folderFlags);
}

/** Runs `use` with the folder that holds `path`, each step opened without following links, and the last name. */
export function withParent<T>(root: number, path: BytePath, use: (folder: number, name: BytePath) => T): T {
  const steps = path.split('/');
  const name = steps.pop() ?? '';
  let folder = root;
  try {
    for (const step of steps) {
      const next = openFolder(folder, step);
      if (folder !== root) closeSync(folder);
      folder = next;
    }
    return use(folder, name);
  } finally {
    if (folder !== root) closeSync(folder);
  }
}
