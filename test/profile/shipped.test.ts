// Owns what holds of the profiles and documents that we ship.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { renderProfileDoc } from '../../lib/profile/document.ts';
import { refuseUnenforced, unenforced } from '../../lib/profile/enforced.ts';
import { hostConfigSchema } from '../../lib/profile/hostConfig.ts';
import { listKeys, profileJsonSchema, toJsonSchema } from '../../lib/profile/jsonSchema.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import { flatten, toReadable } from '../../lib/profile/readable.ts';
import { profileSchema } from '../../lib/profile/schema.ts';
import { makeWorld, repository } from './world.ts';

const shipped = ['base-tools', 'default', 'go-tools', 'node-tools', 'python-tools', 'secops-tools'];

test('every shipped profile loads, extends the default, has its own image, and can be enforced', async (t) => {
  const world = makeWorld(t);
  const files = readdirSync(join(repository, 'profiles')).filter((entry) => entry.endsWith('.yaml'));
  t.same(
    files.sort(),
    shipped.map((name) => `${name}.yaml`),
  );
  for (const name of shipped) {
    const loaded = loadProfile({ ...world.request(), profile: name });
    refuseUnenforced(loaded);
    t.same(loaded.lowered, [], `${name} lies below the built-in ceiling`);
    if (name === 'default') continue;
    t.equal(loaded.profile.extends, 'default');
    t.equal(loaded.profile.image.name, name);
  }
});

test('the default profile says what the schema says', async (t) => {
  const world = makeWorld(t);
  const { profile } = loadProfile({ ...world.request(), profile: 'default' });
  t.same({ ...profile, description: '' }, profileSchema.parse({}));
});

test('the default profile writes out every key that has a default, but the engine', async (t) => {
  const world = makeWorld(t);
  const { profile, statedAt } = loadProfile({ ...world.request(), profile: 'default' });
  const unstated = flatten(toReadable(profile)).filter(
    ({ path }) => statedAt(path) === undefined && statedAt(path.slice(0, 1)) === undefined,
  );
  t.same(
    unstated.map(({ path }) => path.join('.')),
    ['engine'],
  );
});

test('a readable profile resolves to the very same profile', async (t) => {
  const odd = profileSchema.parse({
    limits: { memory: '1500000001', timeout: '90001ms', idle: '90s', fileSize: '5k', io: { readBytesPerSecond: '3m' } },
    image: { name: 'a', digest: `sha256:${'0'.repeat(64)}` },
    mounts: [{ source: '/a', target: '/b' }],
    env: { memory: '1' },
  });
  t.same(profileSchema.parse(toReadable(odd)), odd);
  t.match(toReadable(odd).limits, { memory: '1500000001', idle: '90s', fileSize: '5k' });
});

test('every key of both schemas says what it is', async (t) => {
  for (const schema of [profileSchema, hostConfigSchema]) {
    for (const { path, schema: key } of listKeys(toJsonSchema(schema))) t.ok(key.description, path.join('.'));
  }
});

test('what is not yet enforced is a key of the schema', async (t) => {
  const keys = listKeys(toJsonSchema(profileSchema)).map(({ path }) => path.join('.'));
  for (const { path } of unenforced) t.ok(keys.includes(path.join('.')), path.join('.'));
});

test('the shipped JSON Schema is the one we would print', async (t) => {
  const file = join(repository, 'profiles/profile.schema.json');
  t.same(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(profileJsonSchema())));
});

test('the document names every key with its default', async (t) => {
  const text = renderProfileDoc();
  t.equal(text, renderProfileDoc(), 'same schemas, same bytes');
  for (const schema of [profileSchema, hostConfigSchema]) {
    for (const { path } of listKeys(toJsonSchema(schema))) {
      const key = path.join('.').replaceAll('.[].', '[].');
      t.ok(text.includes(`| \`${key}\` |`), key);
    }
  }
  t.match(text, /\| `limits\.memory` \| size \| `2g` \|/);
  t.match(text, /\| `network\.mode` \|.*not yet: bridge \|/);
  const cells = text.split('\n').filter((line) => line.startsWith('| `'));
  for (const line of cells) t.ok([4, 5].includes(line.split(/(?<!\\)\|/).length - 2), line.slice(0, 40));
});
