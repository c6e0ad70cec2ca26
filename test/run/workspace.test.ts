// Tests which folders may be a workspace: each refusal, beside a folder of the same shape that is taken.
import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { CofferdamError } from '../../lib/base/errors.ts';
import { runToolSync } from '../../lib/base/exec.ts';
import { checkWorkspace, parseWorkspace, type WorkspaceMode } from '../../lib/run/workspace.ts';
import {
  callerUid,
  codeOf,
  giveAway,
  ids,
  makeFolder,
  makeSocket,
  never,
  pathsBelow,
  writeTree,
} from './hostileTree.ts';

export const needs = ['root'];

async function check(root: string, source: string, mode: WorkspaceMode, home?: string) {
  const checked = await checkWorkspace({
    source,
    mode,
    cwd: root,
    ids,
    paths: pathsBelow(join(root, 'ours')),
    home,
    signal: never,
  });
  checked.claim.release();
  return checked;
}

async function refusal(act: () => unknown): Promise<CofferdamError> {
  try {
    await act();
  } catch (thrown) {
    return thrown as CofferdamError;
  }
  throw new Error('it was not refused');
}

test('--workspace is split at the last colon, and only before a mode', (t) => {
  t.same(parseWorkspace('src'), { source: 'src', mode: undefined });
  t.same(parseWorkspace('src:rw'), { source: 'src', mode: 'rw' });
  t.same(parseWorkspace('./x:ro:ro'), { source: './x:ro', mode: 'ro' });
  t.same(parseWorkspace('/a:b'), { source: '/a:b', mode: undefined });
  t.same(parseWorkspace('a\n:copy'), { source: 'a\n', mode: 'copy' });
  t.throws(() => parseWorkspace(':ro'), { code: 'WORKSPACE_INVALID' });
  t.throws(() => parseWorkspace(''), { code: 'WORKSPACE_INVALID' });
  t.end();
});

test('a plain folder of the caller is taken in every mode, by its real path', async (t) => {
  const root = makeFolder(t);
  chmodSync(root, 0o755);
  writeTree(root, { 'project/src/main.ts': 'x' });
  symlinkSync('.', join(root, 'here'));
  giveAway(join(root, 'project'));
  for (const mode of ['ro', 'rw', 'copy'] as const) {
    const checked = await check(root, 'here/project/', mode);
    t.equal(checked.source, join(root, 'project'));
    t.equal(checked.ownerUid, callerUid === 0 ? 1000 : callerUid);
    t.same(checked.guarded, []);
  }
});

test('refuses what is missing, a file, a link, and names that cannot be passed on', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { file: 'x', 'real/x': 'x', 'new\nline/x': 'x' });
  symlinkSync('real', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'dangling'));
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]));
  for (const name of [
    'missing',
    'file',
    'file/x',
    'link',
    'link/',
    'link/.',
    'dangling',
    'new\nline',
    'a\u0000b',
    '\ufffd\ufffd',
  ]) {
    t.equal((await refusal(() => check(root, name, 'copy'))).code, 'WORKSPACE_INVALID', JSON.stringify(name));
  }
  t.match((await refusal(() => check(root, 'link', 'copy'))).remedy, join(root, 'real'));
  t.match((await refusal(() => check(root, 'missing', 'copy'))).remedy, /mkdir -p/);
});

test('refuses the folders of the system in every mode', async (t) => {
  const root = makeFolder(t);
  for (const mode of ['ro', 'rw', 'copy'] as const) {
    for (const path of [
      '/',
      '/proc',
      '/proc/self',
      '/sys/kernel',
      '/dev/shm',
      '/etc',
      '/usr/lib',
      '/boot',
      '/run',
      '/var/lib',
      '/home',
      '/tmp',
    ]) {
      const error = await refusal(() => check(root, path, mode));
      t.equal(error.code, 'WORKSPACE_INVALID');
      t.match(error.message, /folder of the system|symbolic link/, path);
    }
  }
});

test('refuses a folder that holds or lies in one of ours, also through a link', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { 'ours/state/copies/x': 'x', 'ours/install/lib/x': 'x', 'beside/x': 'x' });
  symlinkSync('ours', join(root, 'alias'));
  for (const source of ['.', 'ours', 'ours/state', 'ours/state/copies', 'ours/install/lib', 'alias/install']) {
    t.match((await refusal(() => check(root, source, 'copy'))).message, /keeps its own files/, source);
  }
  t.equal((await check(root, 'beside', 'copy')).source, join(root, 'beside'));
});

test('refuses a home folder and what holds it, but not a project in it', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { 'homes/me/project/x': 'x' });
  const home = join(root, 'homes/me');
  t.match((await refusal(() => check(root, 'homes/me', 'copy', home))).message, /home folder/);
  t.match((await refusal(() => check(root, 'homes', 'copy', home))).message, /home folder/);
  t.equal(await codeOf(() => check(root, 'homes/me/project', 'copy', home)), 'none');
});

test('refuses sockets, fifos and devices at any depth, and names them harmlessly', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { 'p/a/b/c': 'x', 's/a/x': 'x', 'd/x': 'x', 'clean/x': 'x' });
  runToolSync('mkfifo', [join(root, 'p/a/b/evil\u001b[2J')]);
  await makeSocket(join(root, 's/a/sock'));
  const fifo = await refusal(() => check(root, 'p', 'copy'));
  t.equal(fifo.code, 'WORKSPACE_INVALID');
  t.match(fifo.message, /evil\\x1b\[2J \(fifo\)/);
  t.match((await refusal(() => check(root, 's', 'copy'))).message, /a\/sock \(socket\)/);
  t.equal(await codeOf(() => check(root, 'clean', 'copy')), 'none');
});

test('refuses a device', async (t) => {
  t.equal(callerUid, 0, 'this test needs root');
  const root = makeFolder(t);
  writeTree(root, { 'd/x': 'x' });
  runToolSync('mknod', [join(root, 'd/null'), 'c', '1', '3']);
  t.match((await refusal(() => check(root, 'd', 'copy'))).message, /null \(device\)/);
});

test('refuses for rw what belongs to root, to the group root, or to a sandbox', async (t) => {
  t.equal(callerUid, 0, 'this test needs root');
  const root = makeFolder(t);
  chmodSync(root, 0o755);
  const owners = { root: '0:0', group: '1000:0', sandbox: '231080:231080', user: '1000:1000' };
  for (const [name, owner] of Object.entries(owners)) {
    mkdirSync(join(root, name));
    runToolSync('chown', [owner, join(root, name)]);
    t.equal(await codeOf(() => check(root, name, 'rw')), name === 'user' ? 'none' : 'WORKSPACE_INVALID', name);
  }
});

test('refuses another user’s folder for a plain user in rw, and takes its own', async (t) => {
  const root = makeFolder(t);
  const plain = { ...ids, callerUid: 1000, callerGid: 1000 };
  const request = { cwd: root, ids: plain, paths: pathsBelow(join(root, 'ours')), home: undefined, signal: never };
  mkdirSync(join(root, 'theirs'));
  t.equal(callerUid, 0, 'this test needs root');
  t.equal(await codeOf(() => checkWorkspace({ ...request, source: 'theirs', mode: 'rw' })), 'WORKSPACE_INVALID');
  runToolSync('chown', ['1000:33', join(root, 'theirs')]);
  const checked = await checkWorkspace({ ...request, source: 'theirs', mode: 'rw' });
  t.same([checked.ownerUid, checked.ownerGid], [1000, 1000], 'its own group: no other can be mapped');
});

test('refuses for ro what the sandbox could not reach or read', async (t) => {
  t.equal(callerUid, 0, 'this test needs root');
  const root = makeFolder(t);
  writeTree(root, { 'closed/project/x': 'x', 'open/private/x': 'x', 'open/project/x': 'x' });
  chmodSync(root, 0o755);
  chmodSync(join(root, 'closed'), 0o700);
  chmodSync(join(root, 'open/private'), 0o750);
  t.match((await refusal(() => check(root, 'closed/project', 'ro'))).remedy, /chmod o\+x .*closed/);
  t.match((await refusal(() => check(root, 'open/private', 'ro'))).remedy, /chmod o\+rx .*private/);
  t.equal(await codeOf(() => check(root, 'open/project', 'ro')), 'none');
  t.equal(await codeOf(() => check(root, 'closed/project', 'copy')), 'none', 'a copy is made by the host');
});

test('refuses in rw a folder that runs code as a whole', async (t) => {
  const root = makeFolder(t);
  for (const path of ['.vscode', 'project/.git/hooks', 'project/.git/objects', 'project/sub']) {
    mkdirSync(join(root, path), { recursive: true });
    giveAway(join(root, path));
    t.equal(await codeOf(() => check(root, path, 'rw')), path.endsWith('sub') ? 'none' : 'WORKSPACE_INVALID', path);
  }
});

test('in rw the guarded places are listed and nothing is written to the folder', async (t) => {
  const root = makeFolder(t);
  writeTree(root, { 'project/.git/HEAD': 'ref: refs/heads/x', 'project/.git/config': '', 'project/.envrc': 'x' });
  giveAway(join(root, 'project'));
  const before = lstatSync(join(root, 'project')).mtimeMs;
  const checked = await check(root, 'project', 'rw');
  t.same(checked.guarded, ['.envrc', '.git/config']);
  t.equal(lstatSync(join(root, 'project')).mtimeMs, before);
  rmSync(join(root, 'project/.envrc'));
  symlinkSync('elsewhere', join(root, 'project/.envrc'));
  t.equal(await codeOf(() => check(root, 'project', 'rw')), 'WORKSPACE_INVALID', 'a link cannot be held read-only');
});
