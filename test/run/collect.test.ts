// Tests what is copied out of a dead sandbox, what is refused, and that nothing half-written stays.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync, streamTool, systemPath } from '../../lib/base/exec.ts';
import { dropArtifactsFolder, prepareArtifactsFolder } from '../../lib/run/artifactsFolder.ts';
import { collectArtifacts, manifestName } from '../../lib/run/collect.ts';
import { callerUid, codeOf, makeFolder, makeSocket, pathsBelow, writeTree } from './hostileTree.ts';

export const needs = ['root'];

const program = realpathSync(join(import.meta.dirname, '../../lib/cli/collect.ts'));

function scene(t: Parameters<typeof makeFolder>[0]) {
  const root = makeFolder(t);
  const [from, to] = [join(root, 'from'), join(root, 'to')];
  mkdirSync(from);
  mkdirSync(to, { mode: 0o700 });
  return { root, from, to };
}

function collect(from: string, to: string, bounds: { maxCount?: number; maxBytes?: number; maxDepth?: number } = {}) {
  return collectArtifacts({ from, to, maxCount: 100, maxBytes: 1 << 20, maxDepth: 4, ...bounds });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

test('copies regular files with their digests, private and never executable', (t) => {
  const { from, to } = scene(t);
  writeTree(from, { 'report.json': '{}', 'a/b/ü.txt': 'text', 'a/empty': '', 'a/tool': '#!/bin/sh', 'none/.keep': '' });
  chmodSync(join(from, 'a/tool'), 0o4777);
  chmodSync(join(from, 'report.json'), 0);
  const { artifacts, refused, refusedMore } = collect(from, to);
  t.same(
    artifacts.map(({ path, bytes }) => [path, bytes]),
    [
      ['a/b/ü.txt', 4],
      ['a/empty', 0],
      ['a/tool', 9],
      ['none/.keep', 0],
      ['report.json', 2],
    ],
  );
  t.equal(artifacts[0]?.sha256, sha256('text'));
  t.same([refused, refusedMore], [[], 0]);
  t.equal(statSync(join(to, 'a/tool')).mode & 0o7777, 0o600);
  t.equal(statSync(join(to, 'a')).mode & 0o7777, 0o700);
  t.equal(readFileSync(join(to, 'a/b/ü.txt'), 'utf8'), 'text');
  t.same(JSON.parse(readFileSync(join(to, manifestName), 'utf8')).artifacts, artifacts);
  t.end();
});

test('refuses links, fifos, sockets, devices and hostile names, and takes what stands beside them', async (t) => {
  const { from, to, root } = scene(t);
  writeTree(root, { secret: 'secret', 'outside/x': 'secret' });
  writeTree(from, { good: 'x', 'new\nline': 'x', 'esc\u001b[2J': 'x', 'bidi\u202e': 'x' });
  symlinkSync(join(root, 'secret'), join(from, 'link'));
  symlinkSync(join(root, 'outside'), join(from, 'folder'));
  symlinkSync('/proc/self/fd/0', join(from, 'fd'));
  runToolSync('mkfifo', [join(from, 'fifo')]);
  runToolSync('mknod', [join(from, 'zero'), 'c', '1', '5']);
  await makeSocket(join(from, 'socket'));
  writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff])]), 'x');
  const { artifacts, refused } = collect(from, to);
  t.same(
    artifacts.map(({ path }) => path),
    ['good'],
  );
  t.equal(refused.length, 10);
  t.notMatch(JSON.stringify(refused), /[\u001b\u202e]/);
  t.same(readdirSync(to).sort(), [manifestName, 'good']);
});

test('refuses files that would run code where the artifacts are, and what is ours', (t) => {
  const { from, to } = scene(t);
  writeTree(from, {
    HEAD: 'ref: refs/heads/x',
    'objects/x': '',
    'refs/x': '',
    config: '[core]\n\tfsmonitor = evil',
    '.git/config': 'x',
    'a/.envrc': 'x',
    [manifestName]: '{}',
    'b/HEAD': 'a file by this name alone',
    'b/config': '',
  });
  const { artifacts, refused } = collect(from, to);
  t.same(
    refused.map(({ path }) => path),
    ['.git', 'HEAD', 'a/.envrc', manifestName],
  );
  t.ok(artifacts.some(({ path }) => path === 'b/HEAD'));
  const home = { HOME: to, GIT_CONFIG_NOSYSTEM: '1' };
  t.equal(runToolSync('git', ['-C', to, 'rev-parse'], { env: home, accept: [0, 128] }).exitCode, 128, 'no repository');
  t.end();
});

test('refuses what is beyond the bounds of count, bytes and depth', (t) => {
  const { from, to } = scene(t);
  writeTree(from, { 'a/b/c/d/deep': 'x', 'a/b/c/fits': 'x', big: 'x', '1': 'x', '2': 'x', '3': 'x' });
  truncateSync(join(from, 'big'), 1024 ** 4);
  const { artifacts, refused } = collect(from, to, { maxCount: 3, maxDepth: 3 });
  t.same(
    artifacts.map(({ path }) => path),
    ['1', '2', '3'],
  );
  t.same(
    refused.map(({ path, why }) => [path, /deeper|more than|larger/.exec(why)?.[0]]),
    [
      ['a/b/c/d', 'deeper'],
      ['a/b/c/fits', 'more than'],
      ['big', 'more than'],
    ],
  );
  const second = scene(t);
  writeTree(second.from, { a: '12345', b: '12345', c: '1' });
  truncateSync(join(second.from, 'b'), 1024 ** 4);
  const bounded = collect(second.from, second.to, { maxBytes: 6 });
  t.same(
    bounded.artifacts.map(({ path }) => path),
    ['a', 'c'],
    'a sparse file counts whole, and what fits is taken',
  );
  t.match(bounded.refused, [{ path: 'b', why: /larger/ }]);
  t.end();
});

test('the list of refusals is bounded and counts on', (t) => {
  const { from, to } = scene(t);
  for (let i = 0; i < 1200; i++) symlinkSync('x', join(from, `l${i}`));
  const { refused, refusedMore } = collect(from, to);
  t.same([refused.length, refusedMore], [1000, 200]);
  t.end();
});

test('hard links are copied as files of their own', (t) => {
  const { from, to } = scene(t);
  writeTree(from, { a: 'same' });
  linkSync(join(from, 'a'), join(from, 'b'));
  t.equal(collect(from, to).artifacts.length, 2);
  t.equal(statSync(join(to, 'a')).nlink, 1);
  t.end();
});

test('a racing swap of a file for a link never brings the target out', async (t) => {
  const { from, root } = scene(t);
  writeTree(root, { 'secret/in': 'SECRET', 'honest/in': 'honest' });
  writeTree(from, { 'd/in': 'honest', f: 'honest' });
  const script = [
    'i=0',
    'while [ $i -lt 60 ]; do',
    'ln -s "$1/secret/in" "$2/l" && mv -fT "$2/l" "$2/f"; cp "$1/honest/in" "$2/n" && mv -fT "$2/n" "$2/f"',
    'mv -T "$2/d" "$2/d2"; ln -s "$1/secret" "$2/d"; rm "$2/d"; mv -T "$2/d2" "$2/d"',
    'i=$((i + 1)); done',
  ].join('\n');
  const racer = streamTool('/bin/sh', ['-c', script, 'racer', root, from], {
    env: { PATH: systemPath },
    stdin: 'ignore',
    stdout: () => undefined,
    stderr: () => undefined,
  });
  let ended = false;
  const done = racer.ended.then(() => {
    ended = true;
  });
  let taken = 0;
  const contents = new Set<string>();
  for (let round = 0; round < 2000 && !ended; round++) {
    const to = join(root, `to${round}`);
    mkdirSync(to);
    taken += collect(from, to).artifacts.length;
    for (const file of ['f', 'd/in'].map((name) => join(to, name)))
      if (existsSync(file)) contents.add(readFileSync(file, 'utf8'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  t.ok(taken > 0, 'something was there to be taken');
  t.same([...contents], ['honest']);
});

test('a full disk leaves whole files and none half-written, with exit status 125', (t) => {
  const { from, root } = scene(t);
  const to = join(root, 'small');
  mkdirSync(to);
  writeFileSync(join(from, 'a'), 'x'.repeat(1000));
  writeFileSync(join(from, 'b'), 'x'.repeat(4 << 20));
  // In a mount namespace of its own, as the launch script does it; what is left is listed before it goes.
  const script = [
    'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$2"',
    'status=0; "$3" "$4" "$1" "$2" 100 99999999 4 "" || status=$?',
    'cd "$2" && for f in * .*; do [ ! -f "$f" ] || echo "$f $(wc -c <"$f")"; done; exit $status',
  ].join('\n');
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'x', from, to, process.execPath, program];
  const { exitCode, stdout, stderr } = runToolSync('unshare', args, { accept: [0, 125] });
  t.equal(exitCode, 125);
  t.match(stderr, /sandbox: an artifact cannot be written: ENOSPC/);
  t.equal(stdout, 'a 1000\n');
  t.end();
});

test('the program writes one line to the descriptor that it is given, and nothing without one', (t) => {
  const { from, to, root } = scene(t);
  writeTree(from, { a: 'x' });
  const run = (target: string, fd: string) => {
    const script = `exec 3>"$1/result"; exec "$2" "$3" "$4" "$5" 10 100 4 "$6"`;
    return runToolSync('sh', ['-c', script, 'x', root, process.execPath, program, from, target, fd], {
      accept: [0, 125],
    });
  };
  t.equal(run(to, '3').exitCode, 0);
  const lines = readFileSync(join(root, 'result'), 'utf8').split('\n');
  t.equal(lines.length, 2);
  t.match(JSON.parse(lines[0] ?? ''), {
    artifacts: [{ path: 'a', bytes: 1, type: 'file' }],
    refused: [],
    refusedMore: 0,
  });
  t.equal(run(to, '').exitCode, 125, 'not empty any more');
  mkdirSync(join(root, 'to2'));
  t.equal(run(join(root, 'to2'), '').exitCode, 0);
  t.equal(readFileSync(join(root, 'result'), 'utf8'), '');
  symlinkSync('to2', join(root, 'to3'));
  t.equal(run(join(root, 'to3'), '').exitCode, 125, 'a link in its place');
  t.end();
});

test('the destination is a new or empty folder of the caller', async (t) => {
  const root = makeFolder(t);
  chmodSync(root, 0o755);
  const paths = pathsBelow(join(root, 'ours'));
  const prepare = (text: string, writable?: string) =>
    prepareArtifactsFolder({ text, cwd: root, paths, callerUid, home: join(root, 'home'), writable });
  writeTree(root, { file: '', 'full/x': '', 'ours/state/x': '', 'home/x': '', 'work/x': '' });
  mkdirSync(join(root, 'empty'));
  symlinkSync('empty', join(root, 'link'));
  const made = await prepare('new');
  t.same(made, { folder: join(root, 'new'), created: true });
  t.equal(lstatSync(join(root, 'new')).mode & 0o7777, 0o700);
  t.same(await prepare('empty/'), { folder: join(root, 'empty'), created: false });
  for (const text of [
    '',
    'file',
    'full',
    'link',
    'link/',
    'no/parent',
    'ours/state/new',
    'ours',
    'a\nb',
    '/etc/new',
    '/',
    '.envrc',
    'x/../.git',
    '/proc/new',
  ]) {
    t.equal(await codeOf(() => prepare(text)), 'ARTIFACTS_INVALID', text);
  }
  const writable = join(root, 'work');
  t.equal(await codeOf(() => prepare('work/out', writable)), 'ARTIFACTS_INVALID', 'the guest could put a link there');
  t.equal(await codeOf(() => prepare('out', writable)), 'none');
  t.notOk(existsSync(join(root, 'ours/state/new')), 'nothing is left of what was refused');
  dropArtifactsFolder(made);
  t.notOk(existsSync(made.folder));
  dropArtifactsFolder({ folder: join(root, 'empty'), created: false });
  t.ok(existsSync(join(root, 'empty')));
});

test('refuses a destination that the caller cannot write to', (t) => {
  const root = makeFolder(t);
  chmodSync(root, 0o755);
  mkdirSync(join(root, 'theirs'), { mode: 0o755 });
  const script = `import { prepareArtifactsFolder } from ${JSON.stringify(join(import.meta.dirname, '../../lib/run/artifactsFolder.ts'))};
    const at = (name) => ${JSON.stringify(root)} + '/ours/' + name;
    const paths = { hostConfig: at('etc/c'), config: at('c'), data: at('d'), state: at('s'), run: at('r'), imageStores: [], install: at('i') };
    for (const text of ['theirs', 'theirs/new'])
      await prepareArtifactsFolder({ text, cwd: ${JSON.stringify(root)}, paths, callerUid: 1000, home: undefined, writable: undefined })
        .then(() => console.log('taken'), (error) => console.log(error.code));`;
  const node = [process.execPath, '--input-type=module', '--eval', script];
  const { stdout } = runToolSync('setpriv', ['--reuid=1000', '--regid=1000', '--clear-groups', ...node]);
  t.equal(stdout, 'ARTIFACTS_INVALID\nARTIFACTS_INVALID\n');
  t.end();
});
