// Owns the proof of which file a name stands for, and whose files are not taken.
import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { findProfile, listProfiles } from '../../lib/profile/find.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import { makeWorld, repository, self } from './world.ts';

test('a name is found in the folder of the user, the host or the package', async (t) => {
  const world = makeWorld(t);
  const mine = world.profile('mine', '{}\n');
  const hosts = world.write('etc/profiles/hosts.yaml', '{}\n');
  const at = (name: string) => findProfile(name, world.request()).source;
  t.match(at('mine'), { file: mine, origin: 'user' });
  t.match(at('hosts'), { file: hosts, origin: 'host' });
  t.match(at('go-tools'), { file: join(world.paths.install, 'profiles/go-tools.yaml'), origin: 'shipped' });
  t.same(
    listProfiles(world.request()).map(({ name }) => name),
    ['base-tools', 'default', 'go-tools', 'hosts', 'mine', 'node-tools', 'python-tools', 'secops-tools'],
  );
});

test('something with a slash is a path from where the caller stands', async (t) => {
  const world = makeWorld(t);
  const file = world.write('cwd/local.yaml', 'image: go-tools\n');
  t.match(findProfile('./local.yaml', world.request()).source, { file, name: 'local', origin: 'user' });
  t.match(findProfile(file, world.request()).source, { file });
  t.throws(() => findProfile('local', world.request()), { code: 'PROFILE_UNKNOWN' });
  t.throws(() => findProfile('local.yaml', world.request()), { code: 'PROFILE_UNKNOWN', remedy: /\.\/local\.yaml/ });
  const shipped = join(world.paths.install, 'profiles/go-tools.yaml');
  t.match(findProfile(shipped, world.request()).source, { name: 'go-tools', origin: 'shipped' });
});

test('refuses a second file with the name of another', async (t) => {
  const world = makeWorld(t);
  const copy = world.write('cwd/python-tools.yaml', '{}\n');
  t.throws(() => findProfile(copy, world.request()), { code: 'PROFILE_AMBIGUOUS', message: /install\/profiles/ });
  t.match(
    findProfile('python-tools', world.request()).source,
    { origin: 'shipped' },
    'a file elsewhere does not matter',
  );
  world.profile('python-tools', 'limits: {memory: 16g}\n');
  t.throws(() => findProfile('python-tools', world.request()), { code: 'PROFILE_AMBIGUOUS' });
  t.throws(() => loadProfile({ ...world.request(), profile: 'python-tools' }), { code: 'PROFILE_AMBIGUOUS' });
  world.profile('both', '{}\n');
  world.write('etc/profiles/both.yaml', '{}\n');
  t.throws(() => findProfile('both', world.request()), { code: 'PROFILE_AMBIGUOUS' });
  world.profile('default', '{}\n');
  const loading = () => loadProfile({ ...world.request(), profile: 'go-tools' });
  t.throws(loading, { code: 'PROFILE_AMBIGUOUS' }, 'also where it is extended');
});

test('refuses names that are none, and files whose name is none', async (t) => {
  const world = makeWorld(t);
  for (const name of [
    '',
    '.',
    '..',
    'A',
    '-x',
    'a b',
    'a\nb',
    'x'.repeat(64),
    '\u202ebase',
    '__proto__',
    'ba\u0000se',
  ]) {
    t.throws(() => findProfile(name, world.request()), { code: 'PROFILE_UNKNOWN' }, JSON.stringify(name));
  }
  t.throws(() => findProfile('../no/such', world.request()), { code: 'PROFILE_UNKNOWN' });
  const odd = world.write('cwd/My Profile.yaml', '{}\n');
  t.throws(() => findProfile(odd, world.request()), { code: 'CONFIG_INVALID' });
  t.throws(() => findProfile('pyhton-tools', world.request()), { message: /did you mean "python-tools"\?/ });
  t.notMatch(
    catchMessage(() => findProfile('\u001b[31mred', world.request())),
    /\u001b/,
    'escapes are not printed',
  );
});

function catchMessage(attempt: () => unknown): string {
  try {
    attempt();
  } catch (thrown) {
    return String(thrown);
  }
  return '';
}

test('refuses a file that others may write to', async (t) => {
  const world = makeWorld(t);
  const mine = world.profile('mine', '{}\n');
  const hosts = world.write('etc/profiles/hosts.yaml', '{}\n');
  for (const mode of [0o664, 0o646, 0o666]) {
    for (const file of [mine, hosts]) chmodSync(file, mode);
    for (const name of ['mine', 'hosts', mine]) {
      const expected = { code: 'CONFIG_UNREADABLE', message: /others may write to it/ };
      t.throws(() => findProfile(name, world.request()), expected, `${name} with mode ${mode.toString(8)}`);
    }
  }
  chmodSync(mine, 0o600);
  t.ok(findProfile('mine', world.request()));
});

test('refuses a file of another user', async (t) => {
  const world = makeWorld(t);
  world.profile('mine', '{}\n');
  // Root takes its own files; for everybody else a file of theirs is the case to try.
  const request = { ...world.request(), uid: self + 1 };
  const expected = { code: 'CONFIG_UNREADABLE', message: /it belongs to uid/ };
  if (self === 0) {
    t.ok(findProfile('mine', request), 'a file of root is taken from everybody');
    chownSync(join(world.paths.config, 'profiles/mine.yaml'), 12_345, 12_345);
  }
  t.throws(() => findProfile('mine', request), expected);
  const hosts = world.write('etc/profiles/hosts.yaml', '{}\n');
  t.ok(hosts);
  const foreign = { ...world.request(), ceiling: { ...world.request().ceiling, owner: self + 1 } };
  t.throws(() => findProfile('hosts', foreign), expected, "the host's profiles are the host's");
});

test('refuses what is no plain file, without waiting for it', async (t) => {
  const world = makeWorld(t);
  const folder = join(world.paths.config, 'profiles');
  mkdirSync(join(folder, 'folder.yaml'));
  runToolSync('mkfifo', [join(folder, 'fifo.yaml')]);
  symlinkSync('/dev/zero', join(folder, 'device.yaml'));
  for (const name of ['folder', 'fifo']) {
    t.throws(
      () => findProfile(name, world.request()),
      { code: 'CONFIG_UNREADABLE', message: /not a regular file/ },
      name,
    );
  }
  t.throws(() => findProfile('device', world.request()), { code: 'CONFIG_UNREADABLE' });
  symlinkSync('/no/such', join(folder, 'dangling.yaml'));
  t.throws(() => findProfile('dangling', world.request()), { code: 'PROFILE_UNKNOWN' });
  symlinkSync('loop.yaml', join(folder, 'loop.yaml'));
  t.throws(() => findProfile('loop', world.request()), { code: 'CONFIG_UNREADABLE' });
  world.profile('large', `# ${'x'.repeat(1 << 20)}\n`);
  t.throws(() => findProfile('large', world.request()), { code: 'CONFIG_UNREADABLE', message: /larger than/ });
});

test('refuses profiles of users where the host does', async (t) => {
  const world = makeWorld(t);
  const file = world.profile('mine', '{}\n');
  world.write('etc/profiles/hosts.yaml', 'extends: default\n');
  world.host('allowUserProfiles: false\n');
  for (const name of ['mine', file]) {
    t.throws(() => findProfile(name, world.request()), { code: 'HOST_FORBIDS', message: /config\.yaml:1:1/ });
  }
  t.ok(loadProfile({ ...world.request(), profile: 'hosts' }));
  t.ok(loadProfile({ ...world.request(), profile: 'python-tools' }));
});

test('refuses a chain of more than eight', async (t) => {
  const world = makeWorld(t);
  world.profile('p0', '{}\n');
  for (let i = 1; i <= 8; i++) world.profile(`p${i}`, `extends: p${i - 1}\n`);
  t.ok(loadProfile({ ...world.request(), profile: 'p7' }));
  t.throws(() => loadProfile({ ...world.request(), profile: 'p8' }), { code: 'PROFILE_CYCLE', message: /more than 8/ });
});

test('the shipped profiles of the repository are the ones that are loaded here', async (t) => {
  const world = makeWorld(t);
  const paths = { ...world.paths, install: repository };
  t.equal(findProfile('default', { ...world.request(), paths }).source.file, join(repository, 'profiles/default.yaml'));
});
