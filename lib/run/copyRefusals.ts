// Owns which changes of a copy are never applied: what would run code on the host later, or lead out of the folder.
import type { BytePath } from './beneath.ts';
import type { Change, Tree } from './copyChanges.ts';
import { isGuardedPath, looksLikeGitDirectory } from './guardedPlaces.ts';

export interface RefusalRules {
  /** Whether guarded places are applied all the same: a person has looked at them. */
  readonly includeGuarded: boolean;
}

const mostLinks = 40;

/**
 * Whether following the link at `path` stays in the tree, link by link as the kernel goes (path_resolution(7)). Lexical
 * normalising would not do: with `l -> .`, `l/../x` is not `x`.
 */
export function staysInside(path: BytePath, target: BytePath, tree: Tree): boolean {
  const here = path.split('/').slice(0, -1);
  const ahead = target.split('/');
  let links = 0;
  if (target.startsWith('/')) return false;
  for (let step = ahead.shift(); step !== undefined; step = ahead.shift()) {
    if (step === '' || step === '.') continue;
    if (step === '..') {
      if (here.pop() === undefined) return false;
      continue;
    }
    here.push(step);
    // `.git` is not in the tree: what lies there is not known here.
    if (step.toLowerCase() === '.git') return false;
    const side = tree.get(here.join('/'));
    if (side?.target === undefined) continue;
    links += 1;
    if (links > mostLinks || side.target.startsWith('/')) return false;
    here.pop();
    ahead.unshift(...side.target.split('/'));
  }
  return true;
}

function makesGitDirectory(path: BytePath, tree: Tree): boolean {
  const cut = path.lastIndexOf('/') + 1;
  if (path.slice(cut).toLowerCase() !== 'head') return false;
  const folder = path.slice(0, cut);
  const beside = ['commondir', 'objects', 'refs'].filter((name) => tree.has(`${folder}${name}`));
  return looksLikeGitDirectory(new Set(['head', ...beside]));
}

/** Why a change is not applied, or undefined. */
export function findRefusal(change: Change, tree: Tree, rules: RefusalRules): string | undefined {
  const { path, before, after } = change;
  if (before?.type === 'special' || after?.type === 'special') return 'it is neither a file nor a link';
  if (after !== undefined && (after.mode & 0o6000) !== 0) return 'it has a set-id bit';
  if (after?.target !== undefined && !staysInside(path, after.target, tree)) return 'the link leads out of the folder';
  if (rules.includeGuarded) return undefined;
  if (isGuardedPath(path)) return 'this place runs code on the host';
  if (after !== undefined && makesGitDirectory(path, tree))
    return 'it makes its folder a git directory, whose settings run code';
  return undefined;
}
