// Owns folders for tests: made below the system's temporary folder, gone afterwards, with what a hostile guest leaves.
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Paths } from '../../lib/base/paths.ts';
import type { HostIds } from '../../lib/spec/uidmap.ts';

interface Scope {
  teardown(done: () => void): void;
}

/** A new folder, searchable by others, removed when the test ends. */
export function makeFolder(t: Scope): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-test-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files by path below `root`; parents are made. */
export function writeTree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** Folders of ours, all below `root`. */
export function pathsBelow(root: string): Paths {
  const at = (name: string) => join(root, name);
  return {
    hostConfig: at('etc/config.yaml'),
    config: at('config'),
    data: at('data'),
    state: at('state'),
    run: at('run'),
    imageStores: [at('data/images')],
    install: at('install'),
  };
}

export const callerUid = process.getuid?.() ?? -1;

export const ids: HostIds = {
  callerUid,
  callerGid: process.getgid?.() ?? -1,
  subuids: { start: 231_072, count: 65_536 },
  subgids: { start: 231_072, count: 65_536 },
};

/** For rw: root-owned folders are refused, so root's tests give theirs to a plain id. */
export function giveAway(path: string): void {
  if (callerUid === 0) chownSync(path, 1000, 1000);
}

/** Makes a socket that stays after the server is gone. */
export async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  // Unreferenced and never closed: close() would unlink the socket.
  server.unref();
}

export const never: AbortSignal = new AbortController().signal;

/** The error code that a promise or function ends with, `none` when it does not fail. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'none';
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
  }
}
