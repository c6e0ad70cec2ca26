// Owns a context for tests of the command trees alone: nobody's folders, no terminal.
import { resolve } from 'node:path';
import { resolvePaths } from '../../lib/base/paths.ts';
import type { CliContext } from '../../lib/cli/context.ts';

/** `out` is told what is printed. */
export function quietContext(out: (text: string) => void = () => undefined): CliContext {
  const install = resolve(import.meta.dirname, '../..');
  return {
    paths: resolvePaths({ uid: 1234, env: { HOME: '/nonexistent' }, install }),
    uid: 1234,
    gid: 1234,
    cwd: '/',
    env: {},
    version: '0',
    signal: new AbortController().signal,
    exit: () => undefined,
    terminal: {
      out,
      err: () => undefined,
      outColour: false,
      errColour: false,
      inIsTerminal: false,
      outIsTerminal: false,
      errIsTerminal: false,
      write: async () => undefined,
    },
  };
}
