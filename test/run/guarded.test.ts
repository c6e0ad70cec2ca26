// Tests the places that run code on the host: found before a run, and set aside after it however a guest made them.
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { findGuarded } from '../../lib/run/guarded.ts';
import { isGuardedPath } from '../../lib/run/guardedPlaces.ts';
import { setAsideNew } from '../../lib/run/setAside.ts';
import { codeOf, makeFolder, never, writeTree } from './hostileTree.ts';

export const needs = ['root', 'git', 'unshare'];

const repository = { '.git/HEAD': 'ref: refs/heads/main\n', '.git/objects/x': '', '.git/refs/x': '' };

/** Runs `guest` between the two looks at the folder; gives the paths set aside. */
async function around(folder: string, guest: () => unknown): Promise<string[]> {
  const { marks } = await findGuarded(folder, never);
  await guest();
  const destination = `${folder}.kept`;
  const moved = await setAsideNew({ source: folder, before: marks, destination, signal: never });
  for (const { kept } of moved) if (lstatSync(kept, { throwIfNoEntry: false }) === undefined) throw new Error(kept);
  rmSync(destination, { recursive: true, force: true });
  return moved.map(({ path }) => path);
}

test('finds guarded places at any depth, outermost only, in any case', async (t) => {
  const root = makeFolder(t);
  writeTree(root, {
    ...repository,
    '.git/config': '',
    '.git/hooks/pre-commit': '',
    '.git/modules/sub/HEAD': '',
    '.git/modules/sub/config': '',
    'a/b/.Envrc': '',
    'a/.vscode/mcp.json': '',
    'a/x.code-workspace': '',
    'a/.MCP.json': '',
    'sub/.git': 'gitdir: ../.git/modules/sub',
    'docs/config': 'no git directory',
    'docs/hooks/x': '',
    'node_modules/dep/.npmrc': '',
    'node_modules/dep/.git/config': '',
    '.github/workflows/ci.yml': '',
  });
  t.same((await findGuarded(root, never)).paths, [
    '.git/config',
    '.git/hooks',
    '.git/modules',
    'a/.MCP.json',
    'a/.vscode',
    'a/b/.Envrc',
    'a/x.code-workspace',
    'node_modules/dep/.git/config',
    'sub/.git',
  ]);
});

test('finds a bare repository under any name, also the folder itself', async (t) => {
  const root = makeFolder(t);
  const bare = (at: string) => ({
    [`${at}HEAD`]: '',
    [`${at}objects/x`]: '',
    [`${at}refs/x`]: '',
    [`${at}config`]: '',
  });
  writeTree(root, { ...bare(''), ...bare('deep/er/innocent/'), 'linked/HEAD': '', 'linked/commondir': '../x' });
  t.same((await findGuarded(root, never)).paths, ['config', 'deep/er/innocent/config', 'linked/commondir']);
});

test('finds hooks folders and included files that the settings of a repository name', async (t) => {
  const root = makeFolder(t);
  writeTree(root, {
    ...repository,
    '.git/config':
      '[core]\n\thooksPath = tools/hooks\n[include]\n\tpath = ../shared.inc\n\tpath = ../missing.inc\n\tpath = /etc/passwd\n',
    'shared.inc': '[includeIf "gitdir:/"]\n\tpath = more.inc\n',
    'more.inc': '',
    'tools/hooks/pre-commit': '',
  });
  t.same((await findGuarded(root, never)).paths, ['.git/config', 'more.inc', 'shared.inc', 'tools/hooks']);
  t.same(await around(root, () => writeFileSync(join(root, 'missing.inc'), '[core]\n\tfsmonitor = evil\n')), [
    'missing.inc',
  ]);
});

test('refuses guarded places that are links, have no UTF-8 name, or are too many', async (t) => {
  const root = makeFolder(t);
  symlinkSync('/etc', join(root, '.vscode'));
  t.equal(await codeOf(() => findGuarded(root, never)), 'WORKSPACE_INVALID');
  rmSync(join(root, '.vscode'));
  const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from('/.envrc')]), '');
  t.equal(await codeOf(() => findGuarded(root, never)), 'WORKSPACE_INVALID');
  rmSync(odd, { recursive: true });
  for (let i = 0; i < 128; i++) writeTree(root, { [`p${i}/.envrc`]: '' });
  t.equal((await findGuarded(root, never)).paths.length, 128);
  writeTree(root, { 'one/more/.envrc': '' });
  t.equal(await codeOf(() => findGuarded(root, never)), 'WORKSPACE_INVALID');
});

test('a run that leaves guarded places alone has nothing set aside', async (t) => {
  const root = makeFolder(t);
  writeTree(root, {
    ...repository,
    '.git/config': '',
    '.git/hooks/pre-commit': '',
    '.vscode/settings.json': '',
    'src/a': '',
  });
  const moved = await around(root, () => {
    writeTree(root, {
      'src/a': 'changed',
      'src/b': '',
      '.git/objects/y': '',
      '.git/index': '',
      '.github/x': '',
      '.gitignore': '',
    });
    rmSync(join(root, 'src/b'));
  });
  t.same(moved, []);
  t.ok(existsSync(join(root, '.git/config')));
});

test('sets aside what appeared: settings, nested repositories, pointers, bare repositories, rebase instructions', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { ...repository, '.git/config': '', 'src/a': 'kept' });
  const moved = await around(root, () => {
    writeTree(root, {
      '.envrc': 'evil',
      '.git/hooks/post-checkout': 'evil',
      '.git/commondir': '../evil',
      '.git/rebase-merge/git-rebase-todo': 'exec evil',
      'src/.git/config': 'evil',
      'evil/HEAD': 'ref: refs/heads/x',
      'evil/config': '[core]\n\tfsmonitor = evil',
      'evil/objects/x': '',
      'evil/refs/x': '',
      'sub/.git': 'gitdir: ../evil',
    });
    symlinkSync('/etc', join(root, '.claude'));
  });
  t.same(moved, [
    '.claude',
    '.envrc',
    '.git/commondir',
    '.git/hooks',
    '.git/rebase-merge',
    'evil/config',
    'src/.git/config',
    'sub/.git',
  ]);
  t.equal(readFileSync(join(root, 'src/a'), 'utf8'), 'kept');
  t.ok(lstatSync('/etc').isDirectory(), 'the link was moved, not what it points at');
  t.notOk(existsSync(join(root, '.envrc')));
});

test('sets aside a git directory that was swapped by renaming the folder around a mount point', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { ...repository, '.git/config': 'mine', '.git/hooks/pre-commit': 'mine' });
  // In a mount namespace as a sandbox has it: both places are read-only mounts, and the guest renames their parent.
  const guest = [
    'set -e',
    'mount --bind "$1/.git/config" "$1/.git/config"; mount -o remount,bind,ro "$1/.git/config"',
    'mount --bind "$1/.git/hooks" "$1/.git/hooks"; mount -o remount,bind,ro "$1/.git/hooks"',
    'if echo evil 2>/dev/null >"$1/.git/config"; then exit 9; fi',
    'mv "$1/.git" "$1/.git2"; mkdir -p "$1/.git/hooks" "$1/.git/objects" "$1/.git/refs"',
    'echo "ref: refs/heads/x" >"$1/.git/HEAD"; echo evil >"$1/.git/config"; echo evil >"$1/.git/hooks/pre-commit"',
  ].join('\n');
  const moved = await around(root, () =>
    runToolSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', guest, 'guest', root]),
  );
  t.same(moved, ['.git/config', '.git/hooks', '.git2/config', '.git2/hooks']);
});

test('sets aside a place that was written to after the host took the mount off it', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { ...repository, '.git/config': 'mine' });
  const moved = await around(root, () => {
    writeFileSync(join(root, '.git/config.lock'), 'as git config does it');
    renameSync(join(root, '.git/config.lock'), join(root, '.git/config'));
  });
  t.same(moved, ['.git/config']);
});

test('sets aside what was changed through another name of the same file', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { ...repository, '.git/hooks/pre-commit': 'mine', 'tools/hook': 'mine', '.envrc': 'mine' });
  rmSync(join(root, '.git/hooks/pre-commit'));
  linkSync(join(root, 'tools/hook'), join(root, '.git/hooks/pre-commit'));
  linkSync(join(root, '.envrc'), join(root, 'innocent'));
  const moved = await around(root, () => {
    writeFileSync(join(root, 'tools/hook'), 'evil');
    writeFileSync(join(root, 'innocent'), 'evil');
  });
  t.same(moved, ['.envrc', '.git/hooks']);
});

test('sets aside what a guest hid by mode, depth, and names that are no UTF-8', async (t) => {
  const root = makeFolder(t);
  const deep = Array.from({ length: 30 }, () => 'd'.repeat(200)).join('/');
  const moved = await around(root, () => {
    writeTree(root, { 'hidden/a/.envrc': '' });
    chmodSync(join(root, 'hidden/a'), 0o500);
    chmodSync(join(root, 'hidden'), 0);
    const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x1b])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/.npmrc')]), '');
    const script = `cd "$1" && for i in $(seq 30); do mkdir ${'d'.repeat(200)} && cd ${'d'.repeat(200)}; done && echo >.envrc`;
    runToolSync('bash', ['-c', script, 'guest', root]);
  });
  t.equal(moved.length, 3);
  t.ok(moved.includes('hidden/a/.envrc'));
  t.ok(
    moved.some((path) => path.endsWith('\\x1b/.npmrc')),
    'shown without the escape',
  );
  t.ok(
    moved.some((path) => path.startsWith(deep.slice(0, 300))),
    'longer than PATH_MAX',
  );
  // Too deep for a path in one piece: Node's rmSync does not reach it.
  runToolSync('rm', ['-rf', '--', root]);
});

test('real git runs nothing of a nested repository after it was looked through', async (t) => {
  const root = makeFolder(t);
  const git = (folder: string, ...args: string[]) =>
    runToolSync('git', args, { cwd: folder, env: { HOME: root, GIT_CONFIG_NOSYSTEM: '1' }, accept: [0, 128] });
  const attack = () => {
    mkdirSync(join(root, 'sub'), { recursive: true });
    git(join(root, 'sub'), 'init', '-q');
    git(join(root, 'sub'), 'config', 'core.fsmonitor', `touch ${root}/pwned; false`);
    writeFileSync(join(root, 'sub/file'), 'x');
    git(join(root, 'sub'), 'add', 'file');
    rmSync(join(root, 'pwned'), { force: true });
  };
  attack();
  git(join(root, 'sub'), 'status');
  t.ok(existsSync(join(root, 'pwned')), 'without it the host runs it');
  rmSync(join(root, 'sub'), { recursive: true });
  rmSync(join(root, 'pwned'));
  t.ok((await around(root, attack)).includes('sub/.git/config'));
  t.match(git(join(root, 'sub'), 'status').stdout, /file/, 'it still is a repository');
  t.notOk(existsSync(join(root, 'pwned')));
});

test('names that count when a tree is put together from outside', (t) => {
  for (const path of ['.git/x', 'a/.GIT/config', '.envrc', 'a/.vscode/x', 'x.code-workspace'])
    t.ok(isGuardedPath(path), path);
  for (const path of ['.gitignore', 'a/config', '.github/workflows/x', 'envrc', '.env'])
    t.notOk(isGuardedPath(path), path);
  t.end();
});
