// Owns the list of places in a folder that make the host run code later, without anybody asking to run the project:
// on `cd`, on opening it in an editor, on starting an agent there, on a git command, in a login shell.
import type { BytePath } from './beneath.ts';

/** Names that count at any depth, in any case (some file systems fold it), and what runs them. */
const namesByReader: Readonly<Record<string, readonly string[]>> = {
  'shells, on entering the folder (direnv, mise, asdf, autoenv)': [
    '.envrc',
    '.direnv',
    '.tool-versions',
    'mise.toml',
    'mise.local.toml',
    '.mise.toml',
    '.mise.local.toml',
    '.mise',
    '.rtx.toml',
    '.autoenv',
    '.autoenv.zsh',
  ],
  'shells and ssh, where the folder is somebody’s home or is linked from it': [
    '.bashrc',
    '.bash_profile',
    '.bash_login',
    '.bash_logout',
    '.profile',
    '.zshrc',
    '.zshenv',
    '.zprofile',
    '.zlogin',
    '.zlogout',
    '.ssh',
    '.gnupg',
    '.gitconfig',
  ],
  'editors, on opening the folder: tasks, settings that name programs, local start files': [
    '.vscode',
    '.idea',
    '.fleet',
    '.zed',
    '.vs',
    '.theia',
    '.devcontainer',
    '.devcontainer.json',
    '.exrc',
    '.vimrc',
    '.lvimrc',
    '.nvimrc',
    '.nvim.lua',
    '.dir-locals.el',
    '.dir-locals-2.el',
  ],
  'agents, on being started in the folder: servers to start, hooks, permissions': [
    '.mcp.json',
    'mcp.json',
    '.cursor',
    '.claude',
    '.codex',
    '.gemini',
    '.qwen',
    '.windsurf',
    '.continue',
    '.cline',
    '.roo',
    '.kilocode',
    '.kiro',
    '.amazonq',
    '.junie',
    '.trae',
    '.goose',
    '.crush.json',
    'crush.json',
    '.opencode',
    'opencode.json',
    'opencode.jsonc',
    '.factory',
    '.aider.conf.yml',
  ],
  'git, through hook managers': [
    '.husky',
    '.githooks',
    '.git-hooks',
    '.pre-commit-config.yaml',
    '.pre-commit-config.yml',
    '.overcommit.yml',
    'lefthook.yml',
    'lefthook.yaml',
    '.lefthook.yml',
    '.lefthook.yaml',
    'lefthook-local.yml',
    '.lefthook-local.yml',
    '.lefthook',
  ],
  'package and build tools, before they read anything that is reviewed as code': [
    '.npmrc',
    '.yarnrc',
    '.yarnrc.yml',
    '.pnpmfile.cjs',
    'bunfig.toml',
    '.bazelrc',
    '.bazeliskrc',
    '.cargo',
    '.mvn',
  ],
};

const names: ReadonlySet<string> = new Set(Object.values(namesByReader).flat());
const suffix = '.code-workspace';

/**
 * What runs code in a git directory: hooks, settings (core.fsmonitor, core.sshCommand, filters), `commondir` (settings
 * read from elsewhere, gitrepository-layout(5)), the git directories of submodules and work trees, and the `exec` lines of a
 * rebase that waits to be continued. Objects, refs and the index may be written, so that a guest can commit.
 */
export const gitMembers: readonly string[] = [
  'hooks',
  'config',
  'config.worktree',
  'commondir',
  'modules',
  'worktrees',
  'rebase-merge',
];

/**
 * find(1) tests for all that classifying needs: dot names (most guarded ones), the few without a dot, and what makes a
 * folder a git directory whatever its name: git takes any folder with HEAD, objects and refs for a bare repository.
 */
export const guardedTests: readonly string[] = [
  '.*',
  ...[...names].filter((name) => !name.startsWith('.')),
  `*${suffix}`,
  'HEAD',
  'objects',
  'refs',
  ...gitMembers,
].flatMap((name, i) => (i === 0 ? ['-iname', name] : ['-o', '-iname', name]));

function baseOf(path: BytePath): string {
  return path.slice(path.lastIndexOf('/') + 1).toLowerCase();
}

function parentOf(path: BytePath): BytePath {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '' : path.slice(0, cut);
}

/** Whether one name is a guarded place by itself. */
export function isGuardedName(name: string): boolean {
  const folded = name.toLowerCase();
  return names.has(folded) || folded.endsWith(suffix);
}

// What was installed as a dependency is the project's code, which the host runs on its own; settings of its authors, by
// the hundred, are read by nobody.
function inDependencies(path: BytePath): boolean {
  return /(^|\/)node_modules\//i.test(path);
}

/** Whether a folder with these entries (lower case) is one that git takes for a git directory. */
export function looksLikeGitDirectory(entries: ReadonlySet<string>): boolean {
  return entries.has('head') && (entries.has('commondir') || (entries.has('objects') && entries.has('refs')));
}

export interface Entry {
  readonly type: string;
  readonly path: BytePath;
}

/**
 * The guarded places among `entries` (what find listed by guardedTests): outermost only, sorted. `.git` that is no folder is
 * guarded itself (a pointer to a git directory anywhere); of a git directory, its gitMembers.
 */
export function selectGuarded(entries: readonly Entry[]): Entry[] {
  const children = new Map<BytePath, Entry[]>();
  for (const entry of entries) {
    const parent = parentOf(entry.path);
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [entry]);
    else list.push(entry);
  }
  const chosen = new Map<BytePath, Entry>();
  for (const [parent, list] of children) {
    const isGit = baseOf(parent) === '.git' || looksLikeGitDirectory(new Set(list.map(({ path }) => baseOf(path))));
    for (const entry of list) {
      const base = baseOf(entry.path);
      const pointer = base === '.git' && entry.type !== 'd';
      const settings = isGuardedName(base) && !inDependencies(entry.path);
      if (pointer || settings || (isGit && gitMembers.includes(base))) chosen.set(entry.path, entry);
    }
  }
  return [...chosen.values()]
    .filter(({ path }) => !hasChosenParent(path, chosen))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function hasChosenParent(path: BytePath, chosen: ReadonlyMap<BytePath, unknown>): boolean {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) if (chosen.has(parent)) return true;
  return false;
}

/**
 * Whether a path is in a guarded place, judged by its names alone: anything below `.git`, or a guarded name as any step.
 * Stricter than selectGuarded, for what is put into a folder from outside it.
 */
export function isGuardedPath(path: BytePath): boolean {
  const steps = path.toLowerCase().split('/');
  const dependencies = steps.indexOf('node_modules');
  return steps.some((step, i) => step === '.git' || (isGuardedName(step) && (dependencies < 0 || i < dependencies)));
}
