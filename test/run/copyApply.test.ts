// Tests what comes back from a copy: found by content, shown harmlessly, refused or applied as a whole, never through a link.
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { showPath } from '../../lib/run/beneath.ts';
import { type Copy, makeCopy } from '../../lib/run/copy.ts';
import { applyChanges, judgeChanges } from '../../lib/run/copyApply.ts';
import { listChanges } from '../../lib/run/copyChanges.ts';
import { countLines, renderDiff } from '../../lib/run/copyDiff.ts';
import { staysInside } from '../../lib/run/copyRefusals.ts';
import { codeOf, ids, makeFolder, makeSocket, never, writeTree } from './hostileTree.ts';

export const needs = ['root', 'git'];

async function scene(t: Parameters<typeof makeFolder>[0], files: Readonly<Record<string, string>>) {
  const root = makeFolder(t);
  const [copies, source] = [join(root, 'copies'), join(root, 'project')];
  mkdirSync(copies);
  mkdirSync(source);
  writeTree(source, files);
  const copy = await makeCopy({ source, id: 'r1', copies, ids, floor: 0, now: 1, signal: never });
  return { root, source, copy };
}

function kinds(copy: Copy): Record<string, string> {
  return Object.fromEntries(listChanges(copy.base, copy.work).changes.map(({ path, kind }) => [showPath(path), kind]));
}

async function diffOf(copy: Copy): Promise<string> {
  let text = '';
  await renderDiff(copy, listChanges(copy.base, copy.work).changes, (piece) => {
    text += piece;
  });
  return text;
}

function apply(copy: Copy, dryRun = false): void {
  const changes = listChanges(copy.base, copy.work);
  const { applicable, refused } = judgeChanges(changes, { includeGuarded: false });
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
  applyChanges({ copy, changes: applicable, after: changes.after, dryRun });
}

function refusals(copy: Copy, includeGuarded = false): Record<string, string> {
  const { refused } = judgeChanges(listChanges(copy.base, copy.work), { includeGuarded });
  return Object.fromEntries(refused.map(({ path, why }) => [path, why]));
}

function snapshot(folder: string): string {
  const script =
    'cd "$1" && find . -mindepth 1 -printf "%y %m %U %p %l\\n" | sort && find . -type f -exec sha256sum {} + | sort';
  return runToolSync('sh', ['-c', script, 'x', folder]).stdout;
}

const odd = Buffer.from([0x2d, 0x2d, 0xff, 0x1b, 0x0a, 0x22, 0x5c]);
function beside(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name]);
}

test('finds what was added, deleted, modified, made executable, relinked, or made something else', async (t) => {
  const { copy } = await scene(t, {
    keep: 'x',
    gone: 'x',
    text: 'one',
    tool: 'x',
    'was/file': 'x',
    same: 'aaa',
    file: 'x',
  });
  const { work } = copy;
  writeTree(work, { 'new/deep/x': 'x', text: 'two', '.git/config': 'evil' });
  rmSync(join(work, 'gone'));
  chmodSync(join(work, 'tool'), 0o755);
  rmSync(join(work, 'was'), { recursive: true });
  writeFileSync(join(work, 'was'), 'now a file');
  symlinkSync('keep', join(work, 'link'));
  mkdirSync(join(work, 'empty'));
  rmSync(join(work, 'file'));
  symlinkSync('keep', join(work, 'file'));
  // Same size, same times: only the content tells.
  const { atime, mtime } = statSync(join(work, 'same'));
  writeFileSync(join(work, 'same'), 'bbb');
  utimesSync(join(work, 'same'), atime, mtime);
  t.same(kinds(copy), {
    file: 'type',
    gone: 'deleted',
    link: 'added',
    'new/deep/x': 'added',
    same: 'modified',
    text: 'modified',
    tool: 'mode',
    was: 'added',
    'was/file': 'deleted',
  });
  t.same(listChanges(copy.base, work).leftOut.map(showPath), ['.git']);
});

test('the diff is one that git and patch read, for all kinds of change', async (t) => {
  const { copy, source, root } = await scene(t, {
    'a.txt': 'one\ntwo\n',
    gone: 'x\n',
    tool: 'x\n',
    'with space': 'x\n',
    last: 'no newline',
  });
  writeTree(copy.work, { 'a.txt': 'one\n2\n', 'new/x': 'y\n', 'with space': 'z\n', last: 'still none', empty: '' });
  rmSync(join(copy.work, 'gone'));
  chmodSync(join(copy.work, 'tool'), 0o755);
  symlinkSync('a.txt', join(copy.work, 'link'));
  const text = await diffOf(copy);
  const patch = join(root, 'patch');
  writeFileSync(patch, text);
  runToolSync('git', ['apply', patch], { cwd: source, env: { HOME: root, GIT_CONFIG_NOSYSTEM: '1' } });
  const { base } = copy;
  t.equal(runToolSync('diff', ['-r', '--no-dereference', source, copy.work]).stdout, '');
  t.ok(statSync(join(source, 'tool')).mode & 0o100);
  t.ok(existsSync(join(base, 'gone')));
  const [first] = listChanges(base, copy.work).changes;
  t.same(first && (await countLines(copy, first)), { added: 1, deleted: 1 });
});

test('the diff shows every line of a hostile tree, and nothing that a terminal obeys', async (t) => {
  const { copy } = await scene(t, { 'a.py': 'ok\n', b: 'x' });
  writeTree(copy.work, {
    '.gitattributes': '*.py -diff\n* ident\n',
    'a.py': 'ok\n\u001b[2Jevil() # \u202e\u0007\n$Id: hidden() $\n\ttab\n',
    'diff --git a': '@@ -1 +1 @@\n--- a\n',
    long: 'Q'.repeat(300_000),
  });
  writeFileSync(beside(copy.work, odd), 'z\n');
  writeFileSync(join(copy.work, 'b'), Buffer.from([0, 1, 2]));
  writeFileSync(join(copy.work, 'latin'), Buffer.from([0xe9, 0x0a]));
  symlinkSync('\u001b]0;title\u0007', join(copy.work, 'link'));
  const text = await diffOf(copy);
  t.notMatch(text, /[^\n\t\x20-\uffff]|[\x7f-\x9f\u202e]/);
  t.match(text, '+\\x1b[2Jevil() # \\u{202e}\\x07\n');
  t.match(text, '+$Id: hidden() $\n');
  t.match(text, '+\ttab\n');
  t.match(text, 'Binary files a/b (1 bytes) and b/b (3 bytes) differ');
  t.match(text, '"b/--\\377\\033\\n\\"\\\\"');
  t.equal(text.match(/Q/g)?.length, 300_000);
  t.match(text, '+\\x1b]0;title\\x07\n');
});

test('applies everything, binary and oddly named files too, and keeps owners and modes of what was there', async (t) => {
  const { copy, source } = await scene(t, {
    text: 'x',
    tool: 'x',
    private: 'x',
    'gone/deep/x': 'x',
    'file/x': 'x',
    'to-folder': 'x',
    same: 'x',
  });
  chmodSync(join(source, 'private'), 0o640);
  for (const path of ['', 'private', 'text']) chownSync(join(source, path), 1000, 1000);
  const { work } = copy;
  writeTree(work, { text: 'y', private: 'y', 'new/deep/x': 'y' });
  chmodSync(join(work, 'tool'), 0o4777);
  chmodSync(join(work, 'tool'), 0o777);
  rmSync(join(work, 'gone'), { recursive: true });
  rmSync(join(work, 'file'), { recursive: true });
  writeFileSync(join(work, 'file'), 'y');
  rmSync(join(work, 'to-folder'));
  writeTree(work, { 'to-folder/x': 'y' });
  writeFileSync(join(work, 'binary'), Buffer.from([0, 255, 10, 13]));
  writeFileSync(beside(work, odd), 'z');
  symlinkSync('../text', join(work, 'new/link'));
  apply(copy, true);
  t.equal(readFileSync(join(source, 'text'), 'utf8'), 'x', 'a dry run changes nothing');
  apply(copy);
  t.equal(runToolSync('diff', ['-r', '--no-dereference', source, work]).stdout, '');
  const found = statSync(join(source, 'private'));
  t.same([found.mode & 0o7777, found.uid], [0o640, 1000]);
  t.equal(statSync(join(source, 'tool')).mode & 0o7777, 0o755);
  t.equal(statSync(join(source, 'new/deep/x')).uid, 1000, 'new files belong to whom the folder belongs');
  t.equal(statSync(join(source, 'new')).uid, 1000);
  t.equal(readlinkSync(join(source, 'new/link')), '../text');
  t.notOk(existsSync(join(source, 'gone')), 'a folder that is gone is gone');
  t.notOk(readdirSync(source).some((name) => name.startsWith('.cofferdam')));
});

test('refuses guarded places, links that lead out, special files and set-id bits', async (t) => {
  const { copy } = await scene(t, { '.vscode/settings.json': '{}', a: 'x', link: 'x' });
  const { work } = copy;
  writeTree(work, {
    '.vscode/settings.json': '{"evil":1}',
    '.envrc': 'evil',
    'bare/HEAD': 'x',
    'bare/objects/x': '',
    'bare/refs/x': '',
    'bare/config': 'evil',
    'd/e/x': 'x',
    fine: 'x',
  });
  const links: Record<string, string> = {
    absolute: '/etc/passwd',
    up: '../secret',
    sneaky: 'dot/../../secret',
    far: 'd/e/../../../secret',
    chain: 'up',
    git: '.git/hooks',
    root: 'd/../..',
  };
  symlinkSync('.', join(work, 'dot'));
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(work, name));
  symlinkSync('../../a', join(work, 'd/e/good'));
  runToolSync('mkfifo', [join(work, 'fifo')]);
  await makeSocket(join(work, 'socket'));
  rmSync(join(work, 'link'));
  symlinkSync('/', join(work, 'link'));
  writeFileSync(join(work, 'setid'), '');
  chmodSync(join(work, 'setid'), 0o4755);
  const refused = refusals(copy);
  t.same(Object.keys(refused).sort(), [
    '.envrc',
    '.vscode/settings.json',
    ...['absolute', 'bare/HEAD', 'chain', 'far', 'fifo', 'git', 'link', 'root', 'setid', 'sneaky', 'socket', 'up'],
  ]);
  t.same(
    Object.keys(refusals(copy, true)).sort(),
    ['absolute', 'chain', 'far', 'fifo', 'git', 'link', 'root', 'setid', 'sneaky', 'socket', 'up'],
    'a person may want guarded places, never the rest',
  );
});

test('links are followed as the kernel follows them', (t) => {
  const link = (target: string) => ({ type: 'link' as const, mode: 0o777, bytes: 1, target });
  const tree = new Map([
    ['here', link('.')],
    ['a/here', link('..')],
    ['loop', link('loop')],
    ['a/b', undefined],
  ]);
  for (const target of ['a/b', './a//b', 'a/../x', 'here/a', 'a/here/x', 'missing'])
    t.ok(staysInside('l', target, tree), target);
  for (const target of ['..', 'a/../..', 'here/../x', 'a/here/../x', 'loop', '/', 'x/.git/y'])
    t.notOk(staysInside('l', target, tree), target);
  t.ok(staysInside('a/l', '../x', tree));
  t.notOk(staysInside('a/l', '../../x', tree));
  t.end();
});

test('refuses to apply when the original changed in a touched place, and changes nothing at all', async (t) => {
  const cases: Record<string, (source: string) => void> = {
    content: (source) => writeFileSync(join(source, 'b'), 'mine'),
    gone: (source) => rmSync(join(source, 'b')),
    mode: (source) => chmodSync(join(source, 'b'), 0o755),
    appeared: (source) => writeTree(source, { 'new/x': 'mine' }),
    linked: (source) => {
      renameSync(join(source, 'd'), `${source}.elsewhere`);
      symlinkSync(`${source}.elsewhere`, join(source, 'd'));
    },
    'a link at the file': (source) => {
      rmSync(join(source, 'b'));
      symlinkSync('/etc/hostname', join(source, 'b'));
    },
    'a link where a folder is to be': (source) => symlinkSync('/tmp', join(source, 'new')),
  };
  for (const [name, edit] of Object.entries(cases)) {
    const { copy, source } = await scene(t, { a: 'x', b: 'x', 'd/x': 'x', untouched: 'x' });
    writeTree(copy.work, { a: 'y', b: 'y', 'd/x': 'y', 'new/x': 'y' });
    edit(source);
    writeFileSync(join(source, 'untouched'), 'mine');
    const before = snapshot(source);
    t.equal(await codeOf(() => apply(copy)), 'COPY_CONFLICT', name);
    t.equal(snapshot(source), before, name);
  }
});

test('never writes through a link in the original', async (t) => {
  const { copy, source, root } = await scene(t, { 'd/x': 'x', a: 'x' });
  writeTree(root, { 'outside/x': 'x' });
  writeTree(copy.work, { 'd/x': 'evil', 'd/new': 'evil' });
  rmSync(join(source, 'd'), { recursive: true });
  symlinkSync(join(root, 'outside'), join(source, 'd'));
  t.equal(await codeOf(() => apply(copy)), 'COPY_CONFLICT');
  t.equal(readFileSync(join(root, 'outside/x'), 'utf8'), 'x');
  t.notOk(existsSync(join(root, 'outside/new')));
  rmSync(source, { recursive: true });
  symlinkSync(join(root, 'outside'), source);
  t.equal(await codeOf(() => apply(copy)), 'COPY_CONFLICT', 'nor when the folder itself is another one now');
});

test('what was in the original and not in the copy stays, and what stands in the way stops it', async (t) => {
  const { copy, source } = await scene(t, { 'gone/x': 'x', keep: 'x' });
  rmSync(join(copy.work, 'gone'), { recursive: true });
  writeTree(source, { 'gone/mine': 'mine' });
  apply(copy);
  t.same(readdirSync(join(source, 'gone')), ['mine']);
  const second = await scene(t, { 'gone/x': 'x' });
  rmSync(join(second.copy.work, 'gone'), { recursive: true });
  writeTree(second.source, { 'gone/mine': 'mine' });
  writeFileSync(join(second.copy.work, 'gone'), 'a file now');
  const before = snapshot(second.source);
  t.equal(await codeOf(() => apply(second.copy)), 'COPY_CONFLICT');
  t.equal(snapshot(second.source), before, 'everything was put back');
});

test('a disk that fills up while applying changes nothing', async (t) => {
  const { copy, root } = await scene(t, { a: 'x' });
  writeTree(copy.work, { a: 'y', b: 'y' });
  truncateSync(join(copy.work, 'b'), 4 << 20);
  const at = (name: string) => JSON.stringify(join(import.meta.dirname, '../../lib/run', name));
  const script = `import { applyChanges } from ${at('copyApply.ts')}; import { listChanges } from ${at('copyChanges.ts')};
    import { lstatSync } from 'node:fs';
    const [source, folder] = process.argv.slice(1);
    const { dev, ino } = lstatSync(source, { bigint: true });
    const copy = { id: 'r1', source, device: String(dev), inode: String(ino), createdMs: 1, folder, base: folder + '/a', work: folder + '/b' };
    const { changes, after } = listChanges(copy.base, copy.work);
    try { applyChanges({ copy, changes, after, dryRun: false }); console.log('applied'); } catch (error) { console.log(error.code); }`;
  const shell =
    'mount -t tmpfs -o size=1m tmpfs "$1" && printf x >"$1/a" && "$3" --input-type=module --eval "$4" "$1" "$2" && ls -A "$1" && cat "$1/a"';
  const target = join(root, 'small');
  mkdirSync(target);
  const args = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    shell,
    'x',
    target,
    copy.folder,
    process.execPath,
    script,
  ];
  t.equal(runToolSync('unshare', args).stdout, 'DISK_FULL\na\nx');
});

test('an apply that was interrupted before is not continued blindly', async (t) => {
  const { copy, source } = await scene(t, { a: 'x' });
  writeTree(copy.work, { a: 'y' });
  mkdirSync(join(source, '.cofferdam-apply-r1'));
  t.equal(await codeOf(() => apply(copy)), 'COPY_CONFLICT');
  t.equal(readFileSync(join(source, 'a'), 'utf8'), 'x');
  t.ok(lstatSync(join(source, '.cofferdam-apply-r1')).isDirectory());
});
