// Owns asking an entry of the plan index from Node, about all that bin/sandbox and the supervisor ask it.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { readTextIfPresent } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import { type Homes, inputLine, listHomes } from './planIndex.ts';

/** Values of the comments of one kind: `#folder /run/x`. */
function commentsOf(text: string): (kind: string) => string[] {
  const lines = text.split('\n');
  return (kind) => lines.flatMap((line) => (line.startsWith(`#${kind} `) ? [line.slice(kind.length + 2)] : []));
}

// As the supervisor reads the last word of the line (lib/run/native/inputs.c).
function isUnchanged(input: string): boolean {
  const [path = ''] = /(?<=^(?:[^ ]+ ){4}).*$/.exec(input) ?? [];
  try {
    return inputLine(path) === `#input ${input}`;
  } catch {
    return false;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether a process whose /proc/self/cgroup begins with the line `own` is one of these callers. */
function isCaller(callers: readonly string[], own: string): boolean {
  return callers.some((caller) => {
    const [how, ...rest] = caller.split(' ');
    const group = `0::${rest.join(' ')}`;
    return own === group || (how === 'below' && own.startsWith(`${group}/`));
  });
}

/**
 * The digest (64 hex digits) of the plan that the entry `file` names, when all that the plan was made from is as it was and `install` and `homes` are ours;
 * undefined otherwise, and when there is no entry. `cgroup`: the text of /proc/self/cgroup.
 */
export function findPlanned(file: string, homes: Homes & Pick<Paths, 'install'>, cgroup: string): string | undefined {
  const text = readTextIfPresent(file);
  if (text === undefined) return undefined;
  const comments = commentsOf(text);
  const [digest, inputs, callers] = [comments('plan')[0], comments('input'), comments('caller')];
  if (digest === undefined || !/^[0-9a-f]{64}$/.test(digest) || inputs.length === 0) return undefined;
  const holds =
    // One of a version that wrote none has no such lines at all.
    comments('install')[0] === homes.install &&
    isDeepStrictEqual(comments('home'), listHomes(homes)) &&
    inputs.every(isUnchanged) &&
    !comments('absent').some((path) => existsSync(path)) &&
    comments('folder').every(isFolder) &&
    (callers.length === 0 || isCaller(callers, cgroup.split('\n')[0] ?? ''));
  return holds ? digest : undefined;
}

/** The text of /proc/self/cgroup, which says which group we are in (cgroups(7)). */
export function readOwnCgroup(): string {
  return readFileSync('/proc/self/cgroup', 'utf8');
}
