// Owns the proof that each bad profile is refused for its own fault, at its own line, and each good one is taken.
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError, type ErrorDetail } from '../../lib/base/errors.ts';
import { refuseUnenforced } from '../../lib/profile/enforced.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import { profileSchema } from '../../lib/profile/schema.ts';
import { bad, type Expected } from './expected.ts';
import { copyFixtures, makeWorld, type World } from './world.ts';

function refusal(world: World, profile: string): Expected {
  try {
    refuseUnenforced(loadProfile({ ...world.request(), profile }));
  } catch (thrown) {
    if (!(thrown instanceof CofferdamError)) throw thrown;
    const { code, message, details }: CofferdamError & ErrorDetail = thrown;
    const short = (text: string) =>
      text
        .replaceAll(`${world.paths.config}/profiles/`, '')
        .replaceAll(`${world.paths.install}/profiles`, 'SHIPPED')
        .replaceAll(`${world.root}/etc`, 'ETC');
    return [code, ...(details.length > 0 ? details : [message]).map(short)];
  }
  return ['taken'];
}

test('each bad fixture is refused for its own fault', async (t) => {
  const world = makeWorld(t);
  const names = copyFixtures(world, 'bad');
  copyFixtures(world, 'good');
  t.same(names.sort(), Object.keys(bad).sort(), 'every fixture is expected, every expectation has a fixture');
  for (const [name, [code, ...lines]] of Object.entries(bad)) {
    const [found, ...texts] = refusal(world, name);
    t.equal(found, code, `refuses ${name} with ${code}`);
    t.equal(texts.length, lines.length, `${name}: as many findings as faults: ${texts.join(' | ')}`);
    lines.forEach((line, i) => {
      t.ok(texts[i]?.startsWith(line), `${name}: "${texts[i]}" begins with "${line}"`);
    });
  }
});

test('no refusal of a secret holds the value', async (t) => {
  const world = makeWorld(t);
  copyFixtures(world, 'bad');
  for (const name of ['secret-name', 'secret-value']) {
    const text = refusal(world, name).join(' ');
    t.notMatch(text, /not-for-you|ghp_|a1B2/, name);
  }
});

test('a YAML error does not quote the text around it', async (t) => {
  const world = makeWorld(t);
  world.profile('broken', 'env: {A: "hunter2"} hunter2\n');
  const text = refusal(world, 'broken').join(' ');
  t.match(text, /^YAML_INVALID broken\.yaml:1:21 {2}/);
  t.notMatch(text, /hunter2/);
});

test('each good fixture is taken', async (t) => {
  const world = makeWorld(t);
  for (const name of copyFixtures(world, 'good')) t.same(refusal(world, name), ['taken'], name);
  const load = (profile: string) => loadProfile({ ...world.request(), profile }).profile;
  t.same(load('only-a-comment'), profileSchema.parse({}), 'a comment alone means all defaults');
  t.same(load('declared-defaults'), profileSchema.parse({}), 'a default that is written out changes nothing');
  t.match(load('bom-and-crlf'), { image: { name: 'go-tools' }, limits: { memory: 64 * 1024 ** 2 } });
  const twice = load('tightens-twice');
  t.same(twice.env, { A: '1', B: '2' }, 'maps merge');
  t.same(twice.artifacts.paths, [], 'lists replace');
  t.same([twice.limits.idle, twice.limits.memory, twice.user.uid], [10_000, 64 * 1024 ** 2, 1000]);
});

test('a loaded profile names every file it was made from, and those that would change it', async (t) => {
  const world = makeWorld(t);
  const file = world.profile('mine', 'extends: base-tools\nlimits:\n  pids: 64\n');
  const { paths } = world;
  const loaded = loadProfile({ ...world.request(), profile: 'mine' });
  const shipped = (name: string) => join(paths.install, 'profiles', `${name}.yaml`);
  t.same(loaded.files, [file, shipped('base-tools'), shipped('default')]);
  t.same(loaded.absent, [
    paths.hostConfig,
    join(world.root, 'etc/profiles/mine.yaml'),
    shipped('mine'),
    join(paths.config, 'profiles/base-tools.yaml'),
    join(world.root, 'etc/profiles/base-tools.yaml'),
    join(paths.config, 'profiles/default.yaml'),
    join(world.root, 'etc/profiles/default.yaml'),
  ]);
  t.equal(loaded.name, 'mine');
  t.equal(loaded.where(['limits', 'pids']), `${file}:3:3`, 'the child sets it');
  t.equal(loaded.where(['limits', 'memory']), `${shipped('base-tools')}:9:3`, 'its parent sets it');
  t.equal(loaded.statedAt(['limits', 'idle']), undefined, 'no file sets it');
  const config = world.host('engine: podman\n');
  const again = loadProfile({ ...world.request(), profile: 'mine' });
  t.equal(again.files[0], config);
  t.notOk(again.absent.includes(config));
  t.equal(again.profile.engine, 'podman', 'the host chooses the engine where no profile does');
});
