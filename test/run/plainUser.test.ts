// Tests workspaces, copies and the collector as a plain user, for whom permissions are real: a guest with its uid hides things.
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { makeFolder } from './hostileTree.ts';

export const needs = ['root (to become another user)', 'user namespaces'];

const uid = 1000;
const lib = join(import.meta.dirname, '../../lib');

function asUser(...command: string[]): string {
  return runToolSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...command]).stdout;
}

function script(folder: string, text: string): string {
  const from = (file: string) => JSON.stringify(join(lib, 'run', file));
  const head = `import { chmodSync, mkdirSync, writeFileSync, existsSync, readFileSync, statSync, rmSync } from 'node:fs';
    import { findGuarded } from ${from('guarded.ts')}; import { setAsideNew } from ${from('setAside.ts')};
    import { makeCopy, settleCopy, removeCopy } from ${from('copy.ts')}; import { listChanges } from ${from('copyChanges.ts')};
    import { applyChanges, judgeChanges } from ${from('copyApply.ts')};
    const signal = new AbortController().signal; const folder = process.argv[1];\n`;
  return asUser(process.execPath, '--input-type=module', '--eval', head + text, folder);
}

function makeOwn(t: Parameters<typeof makeFolder>[0]): string {
  const folder = makeFolder(t);
  chownSync(folder, uid, uid);
  chmodSync(folder, 0o755);
  return folder;
}

test('what a guest hides from its owner by mode is found and set aside all the same', (t) => {
  const out = script(
    makeOwn(t),
    `const source = folder + '/p'; mkdirSync(source);
     const { marks } = await findGuarded(source, signal);
     mkdirSync(source + '/a/b/.git/hooks', { recursive: true }); writeFileSync(source + '/a/b/.git/hooks/x', 'evil');
     mkdirSync(source + '/.vscode'); chmodSync(source + '/.vscode', 0); chmodSync(source + '/a/b/.git', 0o500);
     chmodSync(source + '/a/b', 0); chmodSync(source + '/a', 0o100); chmodSync(source, 0o500);
     const moved = await setAsideNew({ source, before: marks, destination: folder + '/kept', signal });
     console.log(moved.map(({ path }) => path).join(' '), existsSync(source + '/a/b/.git/hooks'));`,
  );
  t.equal(out, '.vscode a/b/.git/hooks false\n');
  t.end();
});

test('refuses a folder that it cannot look through', (t) => {
  const root = makeOwn(t);
  mkdirSync(join(root, 'closed'), { mode: 0o700 });
  t.equal(
    script(root, `await findGuarded(folder, signal).catch((error) => console.log(error.code));`),
    'WORKSPACE_INVALID\n',
  );
  t.end();
});

test('a copy is made, settled, compared, applied and removed without root', (t) => {
  const out = script(
    makeOwn(t),
    `const [source, copies] = [folder + '/p', folder + '/copies']; mkdirSync(source); mkdirSync(copies);
     writeFileSync(source + '/a', 'x'); mkdirSync(source + '/ro'); writeFileSync(source + '/ro/x', 'x'); chmodSync(source + '/ro', 0o555);
     const ids = { callerUid: 1000, callerGid: 1000, subuids: { start: 9, count: 9 }, subgids: { start: 9, count: 9 } };
     const copy = await makeCopy({ source, id: 'r', copies, ids, floor: 0, now: 1, signal });
     writeFileSync(copy.work + '/a', 'y'); chmodSync(copy.work + '/a', 0);
     mkdirSync(copy.work + '/h/i', { recursive: true }); writeFileSync(copy.work + '/h/i/x', 'y'); chmodSync(copy.work + '/h/i', 0); chmodSync(copy.work + '/h', 0);
     await settleCopy(copy, ids, signal);
     const changes = listChanges(copy.base, copy.work);
     const { applicable } = judgeChanges(changes, { includeGuarded: false });
     applyChanges({ copy, changes: applicable, after: changes.after, dryRun: false });
     console.log(changes.changes.map(({ path, kind }) => path + ':' + kind).join(' '), readFileSync(source + '/a', 'utf8'), existsSync(source + '/h/i/x'));
     chmodSync(copy.work + '/h', 0);
     await removeCopy(copy, signal); console.log(existsSync(copy.folder)); chmodSync(source + '/ro', 0o755);`,
  );
  t.equal(out, 'a:modified h/i/x:added y true\nfalse\n');
  t.end();
});

test('refuses to copy what it cannot read, and leaves nothing', (t) => {
  const root = makeOwn(t);
  mkdirSync(join(root, 'p'));
  mkdirSync(join(root, 'p/closed'), { mode: 0o700 });
  const out = script(
    root,
    `mkdirSync(folder + '/copies');
     const ids = { callerUid: 1000, callerGid: 1000, subuids: { start: 9, count: 9 }, subgids: { start: 9, count: 9 } };
     await makeCopy({ source: folder + '/p', id: 'r', copies: folder + '/copies', ids, floor: 0, now: 1, signal })
       .catch((error) => console.log(error.code)); console.log(existsSync(folder + '/copies/r'));`,
  );
  t.equal(out, 'WORKSPACE_INVALID\nfalse\n');
  t.end();
});

test('the collector reads what the guest left unreadable, inside the user namespace of the run', (t) => {
  const root = makeOwn(t);
  const shell = [
    'mkdir "$1/from" "$1/to" && mount -t tmpfs -o mode=0755 tmpfs "$1/from" && cd "$1/from" && mkdir d',
    'echo secret >d/x && chmod 0 d/x d && echo y >y && ln -s /etc/shadow l && cd /',
    '"$2" "$3" "$1/from" "$1/to" 10 1000 4 1',
  ].join('\n');
  const collector = join(lib, 'cli/collect.ts');
  const inner = ['sh', '-euc', shell, 'x', root, process.execPath, collector];
  const out = asUser('unshare', '--user', '--map-root-user', '--mount', '--propagation', 'private', ...inner);
  t.match(JSON.parse(out), { artifacts: [{ path: 'd/x' }, { path: 'y' }], refused: [{ path: 'l' }] });
  t.equal(runToolSync('stat', ['-c', '%u %a', join(root, 'to/d/x')]).stdout, `${uid} 600\n`);
  t.end();
});
