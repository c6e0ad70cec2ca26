// Owns taking away what is mounted below a folder of a dead run, which keeps it from being removed.

import { runTool } from '../base/exec.ts';
import { readTextIfPresent } from '../base/files.ts';
import { requireTool } from '../engine/tools.ts';

/** Mount points below `folder`, the last mounted first, from the text of /proc/self/mountinfo (proc(5)). */
export function findMountsBelow(mountinfo: string, folder: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) =>
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse();
}

/**
 * Unmounts all below `folder`. Where root's crun was killed while it cloned its own binary, that is mounted on a file there, in
 * the host's mount namespace. Throws TOOL_FAILED.
 */
export async function unmountBelow(folder: string): Promise<void> {
  const mountinfo = readTextIfPresent('/proc/self/mountinfo', 16 << 20) ?? '';
  for (const point of findMountsBelow(mountinfo, folder)) {
    await runTool(requireTool('umount', 'mount'), ['--lazy', '--no-canonicalize', '--', point]);
  }
}
