// Owns the flags that docker, nerdctl and podman have in common: the program's user, environment and bounds, and what it
// must not be able to do.
import type { OciSpec } from '../../spec/types.ts';
import type { ShellWord } from '../words.ts';
import { fillIn } from './template.ts';

/** Who the program is, where it starts, what it finds. */
export function processFlags({ process, hostname }: OciSpec): ShellWord[] {
  return [
    '--hostname',
    hostname,
    '--user',
    `${process.user.uid}:${process.user.gid}`,
    '--workdir',
    process.cwd,
    ...process.env.flatMap((line): ShellWord[] => ['--env', fillIn(line)]),
    ...process.rlimits.flatMap(({ type, soft, hard }) => [
      '--ulimit',
      `${type.replace(/^RLIMIT_/, '').toLowerCase()}=${soft}:${hard}`,
    ]),
  ];
}

/** No capability, no way to one, no way to write below /, no network. */
export const protectionFlags: readonly ShellWord[] = [
  '--cap-drop',
  'all',
  '--security-opt',
  'no-new-privileges',
  '--read-only',
  '--network',
  'none',
];
