// Owns the proof that every key of the schema has a rule for `extends`, and what each rule takes and refuses.
import { test } from 'tap';
import { mergeKeys } from '../../lib/profile/extend.ts';
import { listKeys, toJsonSchema } from '../../lib/profile/jsonSchema.ts';
import { type ProfileFile, profileSchema } from '../../lib/profile/schema.ts';
import { findLoosened, tightenRules } from '../../lib/profile/tighten.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** [key, parent, child, whether the child is looser]; each also stands the other way round in the list or is equal. */
const cases: readonly (readonly [string, ProfileFile, ProfileFile, boolean])[] = [
  ['image.name', { image: 'a' }, { image: 'b' }, false],
  ['image.digest', { image: 'a' }, { image: { name: 'a', digest: digest('1') } }, false],
  ['image.digest', { image: { name: 'a', digest: digest('1') } }, { image: 'a' }, true],
  ['image.digest', { image: { name: 'a', digest: digest('1') } }, { image: { name: 'a', digest: digest('2') } }, true],
  ['engine', { engine: 'crun' }, { engine: 'podman' }, false],
  ['isolation', { isolation: 'process' }, { isolation: 'gvisor' }, false],
  ['isolation', { isolation: 'gvisor' }, { isolation: 'process' }, true],
  ['user.uid', {}, { user: { uid: 1000 } }, false],
  ['workspace.mode', { workspace: { mode: 'rw' } }, { workspace: { mode: 'ro' } }, false],
  ['workspace.mode', { workspace: { mode: 'ro' } }, { workspace: { mode: 'copy' } }, false],
  ['workspace.mode', { workspace: { mode: 'copy' } }, { workspace: { mode: 'ro' } }, true],
  ['workspace.mode', { workspace: { mode: 'rw' } }, { workspace: { mode: 'task' } }, true],
  ['workspace.mode', { workspace: { mode: 'task' } }, { workspace: { mode: 'rw' } }, true],
  ['workspace.mode', { workspace: { mode: 'task' } }, { workspace: { mode: 'scratch' } }, false],
  ['artifacts.paths', {}, { artifacts: { paths: [] } }, false],
  ['artifacts.paths', { artifacts: { paths: [] } }, {}, true],
  ['mounts', { mounts: [] }, { mounts: [{ source: '/a', target: '/b' }] }, true],
  [
    'mounts',
    { mounts: [{ source: '/a', target: '/b', mode: 'rw' }] },
    { mounts: [{ source: '/a', target: '/b' }] },
    false,
  ],
  [
    'mounts',
    { mounts: [{ source: '/a', target: '/b' }] },
    { mounts: [{ source: '/a', target: '/b', mode: 'rw' }] },
    true,
  ],
  ['mounts', { mounts: [{ source: '/a', target: '/b' }] }, { mounts: [{ source: '/a', target: '/c' }] }, true],
  ['limits.memory', { limits: { memory: '1g' } }, { limits: { memory: '1025m' } }, true],
  ['limits.memory', { limits: { memory: '1g' } }, { limits: { memory: '1024m' } }, false],
  ['limits.idle', {}, { limits: { idle: '1m' } }, false],
  ['limits.idle', { limits: { idle: '1m' } }, {}, true],
  ['limits.io.readBytesPerSecond', { limits: { io: { readBytesPerSecond: '1m' } } }, {}, true],
  ['limits.io.readBytesPerSecond', {}, { limits: { io: { readBytesPerSecond: '1m' } } }, false],
  ['limits.enforce', {}, { limits: { enforce: 'best-effort' } }, true],
  ['limits.enforce', { limits: { enforce: 'best-effort' } }, {}, false],
  ['network.mode', { network: { mode: 'bridge' } }, { network: { mode: 'proxy' } }, false],
  ['network.mode', { network: { mode: 'proxy' } }, { network: { mode: 'bridge' } }, true],
  ['network.principal', { network: { mode: 'proxy', principal: 'a' } }, { network: { mode: 'proxy' } }, true],
  ['network.principal', { network: { mode: 'proxy' } }, { network: { mode: 'proxy', principal: 'global' } }, true],
  ['network.principal', { network: { mode: 'proxy', principal: 'a' } }, { network: { principal: 'b' } }, false],
  ['network.allow', { network: { allow: ['a.example'] } }, { network: { allow: ['b.example'] } }, true],
  ['network.allow', { network: { allow: ['a.example', 'b.example'] } }, { network: { allow: ['b.example'] } }, false],
  ['network.allow', { network: { allow: ['a.example'] } }, {}, true],
  ['network.allow', {}, { network: { allow: ['a.example'] } }, false],
  ['network.onDeny', {}, { network: { onDeny: 'ask' } }, true],
  ['services', {}, { services: [{ name: 'llm', port: 8080 }] }, true],
  ['services', { services: [{ name: 'llm', port: 8080 }] }, { services: [{ name: 'llm', port: 8081 }] }, true],
  ['ports', {}, { ports: [{ container: 80 }] }, true],
  ['env', {}, { env: { A: 'b' } }, false],
  ['labels', { labels: { a: 'b' } }, {}, false],
];

test('a child is looser exactly where a rule says so', async (t) => {
  for (const [key, parent, child, looser] of cases) {
    const found = findLoosened(profileSchema.parse(parent), profileSchema.parse(child)).map(({ path }) =>
      path.join('.'),
    );
    const title = `${key}: ${JSON.stringify(parent)} → ${JSON.stringify(child)}`;
    t.same(found, looser ? [key] : [], `${looser ? 'refuses' : 'takes'} ${title}`);
  }
});

test('every bound may shrink and never grow', async (t) => {
  const bounds = listKeys(toJsonSchema(profileSchema)).filter(
    ({ path, type }) =>
      path[0] !== 'user' && !path.includes('[]') && /^(size|duration|number|whole number)$/.test(type),
  );
  t.ok(bounds.length >= 18, `${bounds.length} bounds`);
  for (const { path, type } of bounds) {
    const at = (value: unknown) => path.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
    const [small, large] = { size: ['16m', '32m'], duration: ['1s', '2s'] }[type] ?? [20, 21];
    const [tight, loose] = [profileSchema.parse(at(small)), profileSchema.parse(at(large))];
    const key = path.join('.');
    t.same(findLoosened(loose, tight), [], `takes less ${key}`);
    t.same(
      findLoosened(tight, loose).map((found) => found.path.join('.')),
      [key],
      `refuses more ${key}`,
    );
  }
});

test('every key of the schema has a rule, and every rule a key', async (t) => {
  const leaves = listKeys(toJsonSchema(profileSchema))
    .filter(({ path, schema }) => !path.includes('[]') && schema.properties === undefined && schema.anyOf === undefined)
    .map(({ path }) => path.join('.'));
  const ruled = (rules: object, path: readonly string[] = []): string[] =>
    Object.entries(rules).flatMap(([key, rule]: [string, unknown]) =>
      typeof rule === 'function' ? [[...path, key].join('.')] : ruled(rule as object, [...path, key]),
    );
  t.same(ruled(tightenRules).sort(), leaves.sort());
});

test('maps merge, lists and single values replace, and nothing reaches the prototype', async (t) => {
  t.same(mergeKeys({ a: { b: 1, c: 2 }, d: [1, 2] }, { a: { c: 3 }, d: [4] }), { a: { b: 1, c: 3 }, d: [4] });
  t.same(mergeKeys({ a: 'text' }, { a: { b: 1 } }), { a: { b: 1 } });
  t.same(mergeKeys({ a: { b: 1 } }, { a: 'text' }), { a: 'text' });
  const merged = mergeKeys({}, JSON.parse('{"constructor": {"prototype": {"polluted": true}}}')) as object;
  t.notOk('polluted' in {});
  t.ok(Object.hasOwn(merged, 'constructor'));
});
