// Owns the proof of workspaces: what may be one, in which mode, what comes back, and what never does.
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { declareNeeds } from './needs.ts';
import { newId, type Scene, sceneOf, testAsBoth } from './scene.ts';

declareNeeds('crun', 'base-tools');

const base = ['-p', 'base-tools'];

/** A project of the caller's; in rw of root's, of somebody else's, because root's own folders are refused. */
function makeProject(scene: Scene, name: string, ownerless = false): string {
  scene.write(`${name}/file`, 'old\n');
  scene.write(`${name}/gone`, 'gone\n');
  scene.write(`${name}/.git/hooks/sample`, 'sample\n');
  const folder = join(scene.home, name);
  if (ownerless || scene.uid !== 0) return folder;
  const { uid, gid } = sceneOf('plain user');
  for (const path of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })])
    chownSync(join(folder, path), uid, gid);
  return folder;
}

function namesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

const change = 'echo new >file; rm gone; mkdir sub; echo added >sub/more; cat file';

testAsBoth('a folder is read-only unless another mode is asked for', async (t, scene) => {
  const folder = makeProject(scene, 'ro', true);
  for (const text of [folder, `${folder}:ro`, '.']) {
    const ended = await scene.run(
      [...base, '--workspace', text, '--', 'sh', '-c', 'cat file; echo x >file || echo x >more || rm gone'],
      { cwd: folder },
    );
    t.match(ended, { stdout: 'old\n', stderr: /Read-only file system/ });
  }
  const scratch = await scene.run([
    ...base,
    '-w',
    folder,
    '--',
    'sh',
    '-c',
    'echo ok >/sandbox/x && cat /sandbox/x && echo $TMPDIR',
  ]);
  t.equal(scratch.stdout, 'ok\n/sandbox\n');
  t.strictSame(namesIn(folder), ['.git', '.git/hooks', '.git/hooks/sample', 'file', 'gone']);
});

testAsBoth('in rw the program changes the folder itself, as its owner', async (t, scene) => {
  const folder = makeProject(scene, 'rw');
  const ended = await scene.run([...base, '-w', `${folder}:rw`, '--', 'sh', '-c', `${change}; id -u`]);
  t.match(ended, { status: 0, stdout: 'new\n65532\n' }, ended.stderr);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
  t.notOk(existsSync(join(folder, 'gone')));
  const owner = lstatSync(folder).uid;
  for (const name of ['file', 'sub', 'sub/more']) t.equal(lstatSync(join(folder, name)).uid, owner, name);
  t.not(owner, 0);
});

testAsBoth('in rw places that run code on the host stay as they were, and new ones are set aside', async (t, scene) => {
  const folder = makeProject(scene, 'guarded');
  const attack =
    'echo x >.git/hooks/sample; echo x >.git/hooks/pre-commit; echo x >.git/config; rm -rf .git; echo x >.envrc; mkdir -p deep/.vscode; echo x >deep/.vscode/tasks.json; chmod u+s,g+s file; ls -l file | cut -c4,7';
  const { result } = await scene.runJson([...base, '-w', `${folder}:rw`, '--', 'sh', '-c', attack]);
  t.equal(readFileSync(join(folder, '.git/hooks/sample'), 'utf8'), 'sample\n');
  t.notOk(existsSync(join(folder, '.git/hooks/pre-commit')));
  for (const name of ['.envrc', 'deep/.vscode', '.git/config']) t.notOk(existsSync(join(folder, name)), name);
  const aside = result.workspace.setAside;
  t.ok(
    aside.some(({ path }) => path === '.envrc') && aside.some(({ path }) => path === 'deep/.vscode'),
    JSON.stringify(aside),
  );
  for (const { kept } of aside) t.ok(existsSync(kept), kept);
  t.equal(lstatSync(join(folder, 'file')).mode & 0o6000, 0, 'no set-id file');
});

testAsBoth(
  'in rw a repository that the program puts in the place of the old one has neither hooks nor settings',
  async (t, scene) => {
    const folder = makeProject(scene, 'replaced');
    const attack =
      'mv .git away; mkdir -p .git/hooks; echo x >.git/hooks/pre-commit; echo x >.git/config; echo "ref: x" >.git/HEAD; mkdir .git/objects .git/refs';
    await scene.run([...base, '-w', `${folder}:rw`, '--', 'sh', '-c', attack]);
    // The old one may have been moved; what is new and would run is nowhere.
    t.strictSame(
      namesIn(folder).filter((name) => /pre-commit|\/config$/.test(name)),
      [],
    );
    t.ok(namesIn(folder).some((name) => name.endsWith('hooks/sample')));
  },
);

testAsBoth('a copy leaves the folder alone until the changes are applied', async (t, scene) => {
  const folder = makeProject(scene, 'copied', true);
  const id = newId();
  const ended = await scene.sandbox(['run', '--id', id, ...base, '-w', `${folder}:copy`, '--', 'sh', '-c', change]);
  t.match(ended, { status: 0, stdout: 'new\n', stderr: new RegExp(`sandbox diff ${id}`) });
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'old\n');
  const diff = await scene.call(['diff', id]);
  for (const line of ['-old', '+new', '+added', '-gone']) t.ok(diff.stdout.split('\n').includes(line), line);
  t.equal((await scene.call(['apply', id])).status, 0);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new\n');
  t.equal(readFileSync(join(folder, 'sub/more'), 'utf8'), 'added\n');
  t.notOk(existsSync(join(folder, 'gone')));
  t.equal(lstatSync(join(folder, 'sub/more')).uid, scene.uid);
});

testAsBoth('a copy with a place that runs code, or a link out, is not applied', async (t, scene) => {
  const folder = makeProject(scene, 'hostile', true);
  const before = namesIn(folder);
  for (const attack of [
    'echo x >.envrc',
    'ln -s /etc/passwd out',
    'mkdir .vscode; echo x >.vscode/tasks.json',
    'printf x >"$(printf \'a\\033[31m\')"; echo x >.envrc',
  ]) {
    const id = newId();
    await scene.sandbox([
      'run',
      '--id',
      id,
      ...base,
      '-w',
      `${folder}:copy`,
      '--',
      'sh',
      '-c',
      `${attack}; echo more >good`,
    ]);
    const applied = await scene.call(['apply', id]);
    t.equal(applied.status, 125, `${attack} ${applied.stderr}`);
    const diff = await scene.call(['diff', id]);
    t.notMatch(applied.stdout + applied.stderr + diff.stdout, /\u001b\[31m/);
    t.strictSame(namesIn(folder), before, 'all of it or nothing');
    t.equal((await scene.call(['apply', '--discard', id])).status, 0);
  }
});

testAsBoth('refuses what cannot be a workspace, and says why', async (t, scene) => {
  const folder = makeProject(scene, 'proper');
  symlinkSync(folder, join(scene.home, 'link'));
  const socketFolder = join(scene.home, 'socket');
  mkdirSync(socketFolder);
  const server = createServer();
  await new Promise<void>((done) => void server.listen(join(socketFolder, 's'), done));
  t.teardown(() => server.close());
  scene.write('owned/file', '');
  chownSync(join(scene.home, 'owned'), 0, 0);
  const cases: readonly (readonly [string, string])[] = [
    ['/nonexistent/folder', 'missing'],
    [join(folder, 'file'), 'a file'],
    [join(scene.home, 'link'), 'a link'],
    [`${join(scene.home, 'link')}/`, 'a link with a slash'],
    ['/', 'the root'],
    ['/:copy', 'a copy of the root'],
    ['/etc:ro', 'a folder of the system'],
    [`${scene.home}:rw`, 'home'],
    [scene.paths.data, 'our own data'],
    [scene.paths.state, 'our own state'],
    [`${folder}/.git/hooks:rw`, 'a place that runs code'],
    [`${socketFolder}:ro`, 'a folder with a socket'],
    [`${join(scene.home, 'owned')}:rw`, 'a folder of root’s'],
  ];
  for (const [text, what] of cases) {
    const { status, result } = await scene.runJson([...base, '--workspace', text, '--', 'true']);
    t.match(result, { status: 'refused', error: { code: 'WORKSPACE_INVALID' } }, `${what}: ${text}`);
    t.equal(status, 2, what);
  }
});
