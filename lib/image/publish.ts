// Owns putting a finished image into a store: one rename, then the registry, both under the store's lock.
import { existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runTool } from '../base/exec.ts';
import { diskError, syncDirectory } from '../base/files.ts';
import { digestTree } from './archive.ts';
import { imageDirectory } from './find.ts';
import { withStore } from './partial.ts';
import { type ImageRecord, readRegistry, withRecord, writeRegistry } from './registry.ts';
import { ensureSharedFolder } from './shared.ts';

async function isIntact(directory: string, digest: string): Promise<boolean> {
  try {
    return (await digestTree(join(directory, 'rootfs'))).digest === digest;
  } catch {
    return false;
  }
}

/**
 * Moves the folder `ready` to its place in `store` and records it as the newest of its name. A build that is there already
 * stays when it is intact: sandboxes may be running on it. Returns the record as it was kept (`allowed` may be less).
 */
export async function publishImage(store: string, ready: string, record: ImageRecord): Promise<ImageRecord> {
  const target = imageDirectory(store, record.name, record.digest);
  // Before anyone can see it, its bytes are on the disk: a power cut leaves the image or nothing.
  await runTool('sync', ['-f', ready], { timeoutMs: 300_000 });
  return withStore(store, async () => {
    try {
      ensureSharedFolder(dirname(target));
      if (existsSync(target) && !(await isIntact(target, record.digest))) renameSync(target, `${ready}.replaced`);
      if (!existsSync(target)) renameSync(ready, target);
      syncDirectory(dirname(target));
    } catch (cause) {
      throw diskError(cause, `cannot put the image into ${store}`);
    }
    const registry = withRecord(readRegistry(store), record);
    writeRegistry(store, registry);
    return registry.images.at(-1) ?? record;
  });
}
