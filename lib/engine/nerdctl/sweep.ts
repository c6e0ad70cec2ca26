// Owns removing what containerd and nerdctl still keep of runs that are over.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { idPattern } from '../../base/ids.ts';
import { askNerdctl, containersFolder, type NerdctlClient } from './client.ts';
import { fifoFolder } from './input.ts';

const prefix = 'cofferdam-';

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Of a client that was killed: nobody else knows them. */
function removeFifos(top: string, container: string): void {
  const fifos = list(top).flatMap((name) =>
    list(join(top, name))
      .filter((file) => file.startsWith(`${container}-std`))
      .map((file) => join(top, name, file)),
  );
  for (const fifo of fifos) rmSync(fifo, { force: true });
  for (const folder of new Set(fifos.map((fifo) => dirname(fifo)))) {
    try {
      rmdirSync(folder);
    } catch (cause) {
      if (!['ENOENT', 'ENOTEMPTY'].includes(errnoOf(cause) ?? '')) throw cause;
    }
  }
}

export interface Swept {
  readonly client: NerdctlClient;
  /** Marks our containers. */
  readonly label: string;
  /** Where its folders are, as we see them: '' but for a containerd in a mount namespace of its own. */
  readonly root: string;
}

/** Removes all of the containers with our label whose run `isLive` does not know; gives the runs' ids. Throws TOOL_FAILED. */
export async function sweepContainerd(
  { client, label, root }: Swept,
  isLive: (id: string) => boolean,
): Promise<string[]> {
  const isDead = (name: string) => {
    const id = name.slice(prefix.length);
    return name.startsWith(prefix) && idPattern.test(id) && !isLive(id);
  };
  const text = await askNerdctl(client, ['ps', '--all', '--filter', `label=${label}`, '--format', '{{.Names}}']);
  const dead = text.split('\n').filter(isDead);
  for (const name of dead) await askNerdctl(client, ['rm', '--force', '--volumes', name]).catch(() => undefined);
  const folder = containersFolder(client.settings);
  for (const name of list(folder).filter(isDead)) {
    const container = readTextIfPresent(join(folder, name, 'cid')) ?? '';
    if (/^[0-9a-f]{64}$/.test(container)) removeFifos(join(root, fifoFolder), container);
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  return dead.map((name) => name.slice(prefix.length));
}
