// Owns the promises of cp between good parties: what arrives, under which modes, and what is refused by name.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { copyIn } from '../../../lib/run/life/cpIn.ts';
import { copyOut, copyOutTar } from '../../../lib/run/life/cpOut.ts';
import { CpTar } from '../../../lib/run/life/cpTar.ts';
import { openScene, refusalOf } from './cpScene.ts';

const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const outTo = (cwd: string, target: string) => ({ cwd, target, writable: undefined, floor: 0 });

test('copies a file out, to a name, into a folder, and over a file', async (t) => {
  const { inside, host, request } = openScene(t);
  writeFileSync(join(inside, 'a b'), 'content');
  chmodSync(join(inside, 'a b'), 0o4755);
  t.match(await copyOut(request('a b'), outTo(host, 'c')), { files: 1, bytes: 7, refused: [], words: [] });
  t.equal(readFileSync(join(host, 'c'), 'utf8'), 'content');
  t.equal(mode(join(host, 'c')), '600', 'neither set-id nor executable');
  await copyOut(request('a b'), outTo(host, '.'));
  t.equal(readFileSync(join(host, 'a b'), 'utf8'), 'content');
  writeFileSync(join(inside, 'a b'), 'newer');
  await copyOut(request('a b'), outTo(host, 'c'));
  t.equal(readFileSync(join(host, 'c'), 'utf8'), 'newer');
  t.same(readdirSync(host).sort(), ['a b', 'c'], 'nothing else is left');
});

test('copies a folder out, with names of all kinds', async (t) => {
  const { inside, host, request } = openScene(t);
  const long = `${'d'.repeat(120)}/${'é'.repeat(60)}`;
  mkdirSync(join(inside, 'tree', long), { recursive: true });
  const names = ['plain', '-n', '--checkpoint=1', 'back\\nslash', '*', "quote'", `${long}/deep`, '..x', 'ü'];
  for (const name of names) writeFileSync(join(inside, 'tree', name), name);
  linkSync(join(inside, 'tree/plain'), join(inside, 'tree/second'));
  t.match(await copyOut(request('tree'), outTo(host, 'tree')), { files: names.length + 1, refused: [] });
  for (const name of names) t.equal(readFileSync(join(host, 'tree', name), 'utf8'), name);
  t.equal(statSync(join(host, 'tree/second')).nlink, 1, 'a hard link is a file of its own');
  t.equal(mode(join(host, 'tree')), '700');
});

test('names what is no file or folder, and copies the rest', async (t) => {
  const { inside, host, request } = openScene(t);
  mkdirSync(join(inside, 'tree/.git/hooks'), { recursive: true });
  writeFileSync(join(inside, 'tree/good'), 'good');
  writeFileSync(join(inside, 'tree/.git/hooks/post-checkout'), 'bad');
  writeFileSync(join(inside, 'tree/.envrc'), 'bad');
  writeFileSync(join(inside, 'tree/HEAD'), 'bad');
  writeFileSync(join(inside, 'tree/new\nline'), 'bad');
  writeFileSync(Buffer.concat([Buffer.from(join(inside, 'tree/')), Buffer.from([0xff, 0xfe])]), 'bad');
  symlinkSync('/etc/passwd', join(inside, 'tree/link'));
  symlinkSync('/etc', join(inside, 'tree/folder-link'));
  execFileSync('mkfifo', [join(inside, 'tree/fifo')]);
  const server = createServer().listen(join(inside, 'tree/socket'));
  await new Promise((done) => server.once('listening', done));
  t.teardown(() => server.close());
  const { files, refused, words } = await copyOut(request('tree'), outTo(host, 'tree'));
  t.equal(files, 1);
  t.same(readdirSync(join(host, 'tree')), ['good']);
  const whys = new Map(refused.map(({ path, why }) => [path, why]));
  t.match(whys.get('link'), /it is a link/);
  t.match(whys.get('folder-link'), /it is a link/);
  t.match(whys.get('fifo'), /it is a fifo/);
  t.match(whys.get('.envrc'), /runs code on the host/);
  t.match(whys.get('.git/hooks/post-checkout'), /runs code on the host/);
  t.match(whys.get('HEAD'), /git directory/);
  t.match(whys.get('new\\nline'), /UTF-8/);
  t.ok(refused.some(({ path, why }) => path.includes('\ufffd') && why.includes('UTF-8')));
  t.match(words.join('\n'), /socket: socket ignored/);
});

test('refuses a link, a fifo or nothing as what is to be copied', async (t) => {
  const { inside, host, request } = openScene(t);
  symlinkSync('/etc/passwd', join(inside, 'link'));
  execFileSync('mkfifo', [join(inside, 'fifo')]);
  t.match(await refusalOf(copyOut(request('link'), outTo(host, 'x'))), { code: 'CP_REFUSED', text: /it is a link/ });
  t.match(await refusalOf(copyOut(request('fifo'), outTo(host, 'x'))), { code: 'CP_REFUSED', text: /it is a fifo/ });
  t.match(await refusalOf(copyOut(request('none'), outTo(host, 'x'))), { code: 'CP_REFUSED', text: /No such file/ });
  t.same(readdirSync(host), []);
});

test('refuses a place on the host that is a link, taken, in the workspace, or one that runs code', async (t) => {
  const { inside, host, request } = openScene(t);
  writeFileSync(join(inside, 'file'), 'x');
  mkdirSync(join(inside, 'folder'));
  for (const name of ['full/folder', 'work', '.git']) mkdirSync(join(host, name), { recursive: true });
  writeFileSync(join(host, 'taken'), 'mine');
  symlinkSync('taken', join(host, 'link'));
  const refusal = (path: string, target: string, writable?: string) =>
    refusalOf(copyOut(request(path), { ...outTo(host, target), writable }));
  t.match(await refusal('file', 'link'), { code: 'CP_REFUSED', text: /is a link/ });
  t.match(await refusal('folder', 'full'), { code: 'CP_REFUSED', text: /exists already/ });
  t.match(await refusal('folder', 'taken'), { code: 'CP_REFUSED', text: /exists already/ });
  t.match(await refusal('file', 'work/x', join(host, 'work')), { code: 'CP_REFUSED', text: /may write to/ });
  t.match(await refusal('file', '.git/config'), { code: 'CP_REFUSED', text: /may run on this host/ });
  t.match(await refusal('file', '.envrc'), { code: 'CP_REFUSED', text: /may run on this host/ });
  t.match(await refusal('file', 'none/x'), { code: 'CP_REFUSED', text: /folder of none\/x/ });
  t.equal(readFileSync(join(host, 'taken'), 'utf8'), 'mine');
});

test('refuses more than the bounds and keeps nothing', async (t) => {
  const { inside, host, request } = openScene(t);
  mkdirSync(join(inside, 'many'));
  for (let i = 0; i < 101; i++) writeFileSync(join(inside, 'many', String(i)), '');
  writeFileSync(join(inside, 'sparse'), '');
  truncateSync(join(inside, 'sparse'), 11 << 20);
  t.match(await refusalOf(copyOut(request('many'), outTo(host, 'x'))), {
    code: 'CP_REFUSED',
    text: /more than 100 files/,
  });
  t.match(await refusalOf(copyOut(request('sparse'), outTo(host, 'x'))), {
    code: 'CP_REFUSED',
    text: /more than 10485760/,
  });
  const full = { ...outTo(host, 'x'), floor: Number.MAX_SAFE_INTEGER };
  writeFileSync(join(inside, 'file'), 'x');
  t.match(await refusalOf(copyOut(request('file'), full)), { code: 'DISK_FULL' });
  t.same(readdirSync(host), []);
  t.match(await refusalOf(copyIn(request(''), { cwd: inside, path: 'many' })), {
    code: 'CP_REFUSED',
    text: /100 files/,
  });
  t.match(await refusalOf(copyIn(request('in'), { cwd: inside, path: 'sparse' })), {
    code: 'CP_REFUSED',
    text: /bytes/,
  });
  t.same(readdirSync(inside).sort(), ['file', 'many', 'sparse']);
});

test('copies in: to a name, into a folder, a whole tree with its modes', async (t) => {
  const { inside, host, request } = openScene(t);
  mkdirSync(join(host, 'tree/sub'), { recursive: true });
  writeFileSync(join(host, 'tree/sub/run'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(host, 'file'), 'one');
  await copyIn(request('name'), { cwd: host, path: 'file' });
  t.equal(readFileSync(join(inside, 'name'), 'utf8'), 'one');
  writeFileSync(join(host, 'file'), 'two');
  await copyIn(request('name'), { cwd: host, path: 'file' });
  t.equal(readFileSync(join(inside, 'name'), 'utf8'), 'two', 'over a file');
  await copyIn(request(''), { cwd: host, path: 'file' });
  t.equal(readFileSync(join(inside, 'file'), 'utf8'), 'two', 'into a folder');
  t.match(await copyIn(request(''), { cwd: host, path: './tree/' }), { files: 1, refused: [] });
  t.equal(mode(join(inside, 'tree/sub/run')), '755');
  t.same(readdirSync(inside).sort(), ['file', 'name', 'tree']);
});

test('copies in no link, fifo or socket, and names them', async (t) => {
  const { inside, host, request } = openScene(t);
  mkdirSync(join(host, 'tree'));
  writeFileSync(join(host, 'tree/good'), 'good');
  symlinkSync('/etc/passwd', join(host, 'tree/link'));
  execFileSync('mkfifo', [join(host, 'tree/fifo')]);
  const { refused } = await copyIn(request('tree'), { cwd: host, path: 'tree' });
  t.match(refused, [{ path: 'fifo' }, { path: 'link', why: 'it is a link' }]);
  t.same(readdirSync(join(inside, 'tree')), ['good']);
  t.match(await refusalOf(copyIn(request('x'), { cwd: host, path: 'tree/link' })), {
    code: 'CP_REFUSED',
    text: /is a link/,
  });
  t.match(await refusalOf(copyIn(request('x'), { cwd: host, path: 'none' })), { code: 'CP_REFUSED' });
});

test('refuses a place inside that does not take it, and leaves nothing there', async (t) => {
  const { inside, host, request } = openScene(t);
  writeFileSync(join(host, 'file'), 'one');
  mkdirSync(join(host, 'tree'));
  mkdirSync(join(inside, 'tree'));
  writeFileSync(join(inside, 'tree/its-own'), '');
  const refusal = await refusalOf(copyIn(request('none/file'), { cwd: host, path: 'file' }));
  t.match(refusal, { code: 'CP_REFUSED', text: /none/ });
  t.match(await refusalOf(copyIn(request(''), { cwd: host, path: 'tree' })), { code: 'CP_REFUSED', text: /not empty/ });
  t.same(readdirSync(inside), ['tree']);
  t.ok(existsSync(join(inside, 'tree/its-own')));
});

test('writes a tar of its own when it copies to stdout', async (t) => {
  const { inside, host, request } = openScene(t);
  mkdirSync(join(inside, 'tree'));
  writeFileSync(join(inside, 'tree/file'), 'x'.repeat(70_000));
  symlinkSync('/etc', join(inside, 'tree/link'));
  const parts: Uint8Array[] = [];
  const tar = new CpTar(async (bytes) => void parts.push(bytes));
  const { refused } = await copyOutTar(request('tree'), tar, () => tar.flush());
  await tar.end();
  t.equal(refused.length, 1);
  const listed = execFileSync('tar', ['-tvf', '-'], { input: Buffer.concat(parts), cwd: host }).toString();
  t.match(listed, /^drwx------ 0\/0 .* tree\/\n-rw------- 0\/0 +70000 .* tree\/file\n$/);
});
