// Owns the proof that nothing exceeds the ceiling of the host, and that its file is root's alone.
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { hostConfigSchema, loadHostConfig } from '../../lib/profile/hostConfig.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import { applyOverrides } from '../../lib/profile/overrides.ts';
import { makeWorld, self } from './world.ts';

test('where there is no file, the built-in ceiling holds', async (t) => {
  const { paths } = makeWorld(t);
  const config = loadHostConfig(paths.hostConfig, self);
  t.match(config, hostConfigSchema.parse({}));
  t.equal(config.present, false);
  t.ok(loadHostConfig('/no/such/folder/config.yaml'), 'also where there is no folder');
});

test('refuses a file that is not as strict as every configuration', async (t) => {
  const world = makeWorld(t);
  const attempt = () => loadHostConfig(world.paths.hostConfig, self);
  world.host('limits:\n  memroy: 1g\n');
  t.throws(attempt, {
    code: 'CONFIG_INVALID',
    message: /config\.yaml:2:3 {2}limits\.memroy: unknown key; did you mean "memory"\?/,
  });
  world.host('');
  t.throws(attempt, { code: 'YAML_INVALID' }, 'an empty file is a lost one, not the built-in ceiling');
  world.host('mountRoots: [relative]\n');
  t.throws(attempt, { code: 'CONFIG_INVALID', message: /mountRoots\[0\]/ });
  world.host('workspaceModes: [task]\n');
  t.throws(attempt, { code: 'CONFIG_INVALID' });
});

test('refuses a file or a folder that anybody but root can write to', async (t) => {
  const world = makeWorld(t);
  const file = world.host('{}\n');
  const attempt = (owner = self) => loadHostConfig(file, owner);
  t.ok(attempt());
  t.throws(() => attempt(self + 1), { code: 'CONFIG_UNREADABLE', message: /it belongs to uid/ });
  for (const mode of [0o664, 0o646]) {
    chmodSync(file, mode);
    t.throws(attempt, { code: 'CONFIG_UNREADABLE', message: /others may write/ }, `mode ${mode.toString(8)}`);
  }
  chmodSync(file, 0o644);
  chmodSync(join(world.root, 'etc'), 0o777);
  t.throws(attempt, { code: 'CONFIG_UNREADABLE' }, 'who can delete the file can raise the ceiling');
});

test('refuses every key of a user that exceeds the ceiling, and names both places', async (t) => {
  const world = makeWorld(t);
  const ceiling = [
    'limits: {memory: 1g, cpus: 1, pids: 100, openFiles: 100, fileSize: 10m, timeout: 1m}',
    'maxArtifactBytes: 1m',
    'maxOutputBytes: 1k',
  ];
  // 1k would be the least of a size elsewhere; for output less is allowed.
  world.host(`${ceiling.join('\n')}\n`);
  const keys = {
    'limits.memory': 'limits:\n  memory: 1025m\n',
    'limits.cpus': 'limits:\n  cpus: 1.01\n',
    'limits.pids': 'limits:\n  pids: 101\n',
    'limits.openFiles': 'limits:\n  openFiles: 101\n',
    'limits.fileSize': 'limits:\n  fileSize: 11m\n',
    'limits.timeout': 'limits:\n  timeout: 61s\n',
    'artifacts.maxBytes': 'artifacts:\n  maxBytes: 2m\n',
    'output.stdout': 'output:\n  stdout: 1025\n'.replace('1025', '"1025"'),
    'output.stderr': 'output:\n  stderr: "1025"\n',
  };
  for (const [key, content] of Object.entries(keys)) {
    world.profile('mine', content);
    const place = new RegExp(`mine\\.yaml:2:3 {2}${key}: .* is more than this host's .*config\\.yaml:[1-3]:`);
    t.throws(() => loadProfile({ ...world.request(), profile: 'mine' }), { code: 'HOST_FORBIDS', message: place }, key);
  }
  world.write('etc/profiles/hosts.yaml', keys['limits.memory']);
  t.throws(
    () => loadProfile({ ...world.request(), profile: 'hosts' }),
    { code: 'HOST_FORBIDS' },
    "the host's own profiles too",
  );
});

test('a default of ours that is more than the ceiling is lowered, and said to be', async (t) => {
  const world = makeWorld(t);
  const file = world.host('limits: {memory: 1g, timeout: 1m}\n');
  const loaded = loadProfile({ ...world.request(), profile: 'go-tools' });
  t.same([loaded.profile.limits.memory, loaded.profile.limits.timeout], [1024 ** 3, 60_000]);
  t.same(loaded.lowered, [
    `limits.memory: 2g lowered to 1g (${file}:1:10)`,
    `limits.timeout: 10m lowered to 1m (${file}:1:22)`,
  ]);
  const { ceiling } = world.request();
  t.throws(() => applyOverrides(loaded, { memory: '2g' }, ceiling), {
    code: 'HOST_FORBIDS',
    message: `--memory  limits.memory: 2g is more than this host's 1g (${file}:1:10)`,
  });
});

test('refuses workspace modes that the host does not list; scratch always may', async (t) => {
  const world = makeWorld(t);
  world.host('workspaceModes: [ro]\n');
  const attempt = (mode: string) => {
    world.profile('mine', `workspace:\n  mode: ${mode}\n`);
    return loadProfile({ ...world.request(), profile: 'mine' });
  };
  t.ok(attempt('scratch'));
  const loaded = attempt('ro');
  for (const mode of ['rw', 'copy']) {
    t.throws(() => attempt(mode), { code: 'HOST_FORBIDS', message: /mine\.yaml:2:3 {2}workspace\.mode/ });
    const override = () => applyOverrides(loaded, { workspace: mode }, world.request().ceiling);
    t.throws(override, { code: 'HOST_FORBIDS', message: /^--workspace / });
  }
});

test('refuses an image without a digest where the host requires one', async (t) => {
  const world = makeWorld(t);
  world.host('requireImageDigest: true\n');
  world.profile('pinned', `image: {name: base-tools, digest: "sha256:${'0'.repeat(64)}"}\n`);
  t.ok(loadProfile({ ...world.request(), profile: 'pinned' }));
  t.throws(() => loadProfile({ ...world.request(), profile: 'base-tools' }), {
    code: 'HOST_FORBIDS',
    message: /image: /,
  });
});

test('refuses mounts outside the roots of the host, by their text and by where links lead', async (t) => {
  const world = makeWorld(t);
  const data = join(world.root, 'data');
  mkdirSync(join(data, 'inside'), { recursive: true });
  mkdirSync(join(world.root, 'data-too'));
  symlinkSync('/etc', join(data, 'link'));
  world.host(`mountRoots: [${data}]\nworkspaceModes: [ro]\n`);
  const attempt = (source: string, mode = 'ro') => {
    world.profile('mine', `mounts:\n  - {source: ${source}, target: /data, mode: ${mode}}\n`);
    return loadProfile({ ...world.request(), profile: 'mine' });
  };
  t.ok(attempt(data));
  t.ok(attempt(`${data}/inside/`));
  for (const source of ['/etc', '/', `${data}-too`, join(data, 'link'), join(data, 'link/passwd')]) {
    t.throws(() => attempt(source), { code: 'HOST_FORBIDS', message: /mine\.yaml:2:5 {2}mounts\[0\]/ }, source);
  }
  t.throws(() => attempt(`${data}/inside/../../etc`), { code: 'CONFIG_INVALID' });
  t.throws(() => attempt(data, 'rw'), { code: 'HOST_FORBIDS', message: /rw is not a mode of this host/ });
});
