// Owns what commands are given in tests where there is no terminal; and a context for the trees alone, with nobody's folders.
import { resolve } from 'node:path';
import { resolvePaths } from '../../lib/base/paths.ts';
import { type CliContext, silentTerminal, type Terminal } from '../../lib/cli/context.ts';

const quiet = () => undefined;

/** Streams that are no terminals; `out` and `err` are told what is printed. */
export function plainStreams(out: (text: string) => void = quiet, err: (text: string) => void = quiet): Terminal {
  return { ...silentTerminal, out, err };
}

/** `out` is told what is printed. */
export function quietContext(out?: (text: string) => void): CliContext {
  const install = resolve(import.meta.dirname, '../..');
  return {
    paths: resolvePaths({ uid: 1234, env: { HOME: '/nonexistent' }, install }),
    uid: 1234,
    gid: 1234,
    cwd: '/',
    env: {},
    version: '0',
    signal: new AbortController().signal,
    exit: quiet,
    terminal: plainStreams(out),
  };
}
