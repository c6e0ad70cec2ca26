// Owns the proof of artifacts: regular files come out with their digest, and nothing that the guest made is followed.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { declareNeeds } from './needs.ts';
import { testAsBoth } from './scene.ts';

declareNeeds('crun', 'unshare', 'base-tools');

const base = ['-p', 'base-tools'];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

testAsBoth('what stands in /artifacts is copied out with its digest', async (t, scene) => {
  const folder = join(scene.home, 'out');
  const script =
    'cd /artifacts; printf one >one; mkdir -p deep/er; printf two >deep/er/two; : >empty; chmod 6755 one; echo said; exit 3';
  const { status, result } = await scene.runJson([...base, '--artifacts', folder, '--', 'sh', '-c', script]);
  t.equal(status, 3, 'a program that fails leaves artifacts, too');
  t.match(result.artifacts.map(({ path, bytes, sha256: digest }) => [path, bytes, digest]).sort(), [
    ['deep/er/two', 3, sha256('two')],
    ['empty', 0, sha256('')],
    ['one', 3, sha256('one')],
  ]);
  t.equal(result.stdout, 'said\n');
  t.equal(readFileSync(join(folder, 'deep/er/two'), 'utf8'), 'two');
  const { uid, mode } = lstatSync(join(folder, 'one'));
  t.equal(uid, scene.uid);
  t.equal(mode & 0o7133, 0, `neither set-id nor executable nor writable for others: ${mode.toString(8)}`);
});

testAsBoth('links, fifos, hostile names and what is too much stay inside', async (t, scene) => {
  const folder = join(scene.home, 'hostile');
  const profile = scene.write(
    'few.yaml',
    'extends: base-tools\nartifacts: { maxCount: 4, maxBytes: 1k, maxDepth: 2 }\n',
  );
  const script = `cd /artifacts
ln -s /etc/passwd link; ln -s / root; ln -s ../../../../../../etc up; mkfifo pipe; printf x >plain; ln plain hard
printf x >"$(printf 'escape\\033[31m')"; printf x >"$(printf 'bytes\\377')"; printf x >.envrc; mkdir .vscode; printf x >.vscode/tasks.json
mkdir -p a/b/c; printf x >a/b/c/deep; head -c 2000 /dev/zero >large`;
  const { result, stdout, stderr } = await scene.runJson([
    '-p',
    profile,
    '--artifacts',
    folder,
    '--',
    'sh',
    '-c',
    script,
  ]);
  t.match(result.status, 'completed', result.stderr + stderr);
  t.strictSame(result.artifacts.map(({ path }) => path).sort(), ['hard', 'plain']);
  const refused = result.artifactsRefused.map(({ path }) => path).join('\n');
  for (const name of ['link', 'root', 'up', 'pipe', '.envrc', '.vscode', 'large'])
    t.match(refused, new RegExp(`^${name.replace('.', '\\.')}$`, 'm'));
  t.notMatch(stdout + stderr, /\u001b/);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    t.ok(/^(plain|hard|cofferdam-manifest\.json)$/.test(name), name);
  const text = await scene.run(['-p', profile, '--artifacts', `${folder}-2`, '--', 'sh', '-c', script]);
  t.notMatch(text.stdout + text.stderr, /\u001b/);
  t.match(text.stderr, /artifact not copied/);
});

testAsBoth('a guest that goes on changing files while it ends changes nothing outside', async (t, scene) => {
  const folder = join(scene.home, 'swap');
  const script =
    'cd /artifacts; setsid sh -c "while :; do rm -rf x; ln -s /etc x; rm -rf x; mkdir x; printf y >x/passwd; done" & sleep 0.3';
  const { result } = await scene.runJson([...base, '--artifacts', folder, '--', 'sh', '-c', script]);
  t.match(result.status, 'completed');
  const found = join(folder, 'x/passwd');
  if (existsSync(found)) t.match(readFileSync(found, 'utf8'), /^y?$/);
  t.notOk(existsSync(join(folder, 'x')) && lstatSync(join(folder, 'x')).isSymbolicLink());
});

testAsBoth('refuses a folder that is not new or empty, and makes none when nothing is started', async (t, scene) => {
  mkdirSync(join(scene.home, 'empty'));
  scene.write('full/file', '');
  symlinkSync(join(scene.home, 'empty'), join(scene.home, 'leads'));
  const project = join(scene.home, 'full');
  const bad = [
    project,
    join(scene.home, 'leads'),
    join(project, 'file'),
    '/',
    '/etc/new',
    '/nonexistent/new',
    `${scene.home}/.git/new`,
    join(scene.paths.state, 'new'),
  ];
  for (const folder of bad) {
    const { status, result } = await scene.runJson([...base, '--artifacts', folder, '--', 'true']);
    t.match(result, { status: 'refused', error: { code: 'ARTIFACTS_INVALID' } }, folder);
    t.equal(status, 2);
  }
  const fresh = join(scene.home, 'fresh');
  await scene.sandbox(['run', '-p', 'no-such-profile', '--artifacts', fresh, '--', 'true']);
  await scene.sandbox(['run', ...base, '--memory', '5x', '--artifacts', fresh, '--', 'true']);
  t.notOk(existsSync(fresh));
});
