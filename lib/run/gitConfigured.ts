// Owns the places that a repository's own settings make git run or read: core.hooksPath and included files.
import { lstatSync } from 'node:fs';
import { isAbsolute, join, normalize, relative } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { findTool } from '../engine/tools.ts';
import { type BytePath, decodePath, fromBytes } from './beneath.ts';
import type { Entry } from './guardedPlaces.ts';

export interface Configured {
  readonly present: readonly Entry[];
  readonly absent: readonly BytePath[];
}

const wanted = '^(core\\.hookspath|include\\.path|includeif\\..*\\.path)$';
const mostPlaces = 64;

// Reading one file by name runs nothing and follows no include (git-config(1)).
async function readSettings(git: string, file: string, signal: AbortSignal): Promise<{ key: string; value: string }[]> {
  if (signal.aborted) return [];
  const args = ['config', '--no-includes', '--file', file, '--null', '--get-regexp', wanted];
  const env = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: '/nonexistent' };
  // 1: no such key; 128 and 3: not a file git understands, so it takes nothing from it either.
  const { stdout } = await runTool(git, args, { env, cwd: '/', accept: [0, 1, 3, 128] });
  return stdout
    .split('\0')
    .filter((item) => item.includes('\n'))
    .map((item) => ({ key: item.slice(0, item.indexOf('\n')), value: item.slice(item.indexOf('\n') + 1) }));
}

function inside(source: string, path: string): string | undefined {
  const below = relative(source, normalize(path));
  return below === '' || below.startsWith('..') || isAbsolute(below) ? undefined : below;
}

function typeOf(path: string): string | undefined {
  try {
    const found = lstatSync(path);
    return found.isSymbolicLink() ? 'l' : found.isDirectory() ? 'd' : found.isFile() ? 'f' : '?';
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    throw cause;
  }
}

/**
 * What the `config` files among `guarded` name below `source`: a hooks folder is relative to the work tree, an included file to
 * the file that includes it, and may include more. `~` and other people's folders lie outside.
 */
export async function findConfigured(
  source: string,
  guarded: readonly Entry[],
  signal: AbortSignal,
): Promise<Configured> {
  const git = findTool('git');
  const present = new Map<BytePath, Entry>();
  const absent = new Set<BytePath>();
  if (git === undefined) return { present: [], absent: [] };
  const queue = guarded
    .map(({ path }) => decodePath(path))
    .filter((path) => path !== undefined)
    .filter((path) => /(^|\/)config(\.worktree)?$/i.test(path));
  const seen = new Set<string>();
  for (let file = queue.shift(); file !== undefined && present.size + absent.size < mostPlaces; file = queue.shift()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const folder = join(source, file, '..');
    const workTree = join(source, file.replace(/(^|\/)\.git\/.*$/i, '$1.'));
    for (const { key, value } of await readSettings(git, join(source, file), signal)) {
      const hooks = key.toLowerCase() === 'core.hookspath';
      const path = inside(source, isAbsolute(value) ? value : join(hooks ? workTree : folder, value));
      if (path === undefined) continue;
      const bytes = fromBytes(Buffer.from(path));
      const type = typeOf(join(source, path));
      if (type === undefined) absent.add(bytes);
      else present.set(bytes, { type, path: bytes });
      if (!hooks && type === 'f') queue.push(path);
    }
  }
  return { present: [...present.values()], absent: [...absent] };
}
