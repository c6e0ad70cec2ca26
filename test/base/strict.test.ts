// Owns the proof of how a schema's faults read: in our words, at their place, in file order.
import { test } from 'tap';
import { z } from 'zod';
import { CofferdamError } from '../../lib/base/errors.ts';
import { inFileOrder, keyText, knownKeys, parseStrict } from '../../lib/base/strict.ts';
import { parseYaml } from '../../lib/base/yaml.ts';

const schema = z.strictObject({
  name: z.string().min(2).max(5),
  count: z.int().min(1).max(9).default(1),
  share: z.number().optional(),
  on: z.boolean().default(false),
  mode: z.enum(['fast', 'slow']).default('fast'),
  list: z
    .array(z.strictObject({ source: z.string(), target: z.string().optional() }))
    .max(2)
    .default([]),
  map: z.record(z.string().regex(/^[a-z]+$/, 'not a word'), z.string()).default({}),
  image: z
    .union([z.string().regex(/^[a-z]+$/, 'not a name'), z.strictObject({ name: z.string() })], 'a name or a map')
    .optional(),
  nested: z.strictObject({ memory: z.string('not a size') }).prefault({ memory: '1m' }),
});

function faults(text: string): readonly string[] {
  try {
    parseStrict(schema, parseYaml(text, 'f'));
  } catch (thrown) {
    if (!(thrown instanceof CofferdamError) || thrown.code !== 'CONFIG_INVALID') throw thrown;
    return thrown.message === thrown.details[0] ? thrown.details : ['the message is not the first fault'];
  }
  return [];
}

test('a valid document is typed, with its defaults', async (t) => {
  t.match(parseStrict(schema, parseYaml('name: abc\n', 'f')), {
    name: 'abc',
    count: 1,
    mode: 'fast',
    nested: { memory: '1m' },
  });
});

const cases: Readonly<Record<string, readonly string[]>> = {
  '# nothing\n': ['f:1:1  name: missing'],
  'name: abc\ncuont: 1\n': ['f:2:1  cuont: unknown key; did you mean "count"?'],
  'name: abc\nzzz: 1\n': ['f:2:1  zzz: unknown key'],
  'name: a\n': ['f:1:1  name: must be at least 2 characters'],
  'name: abcdef\n': ['f:1:1  name: must be at most 5 characters'],
  'name: 12\n': ['f:1:1  name: must be text; put it in quotes'],
  'name: true\n': ['f:1:1  name: must be text; put it in quotes'],
  'name: [a]\n': ['f:1:1  name: must be text'],
  'name:\n': ['f:1:1  name: has no value; give it one or take the key out'],
  'name: abc\ncount: 1.5\n': ['f:2:1  count: must be a whole number'],
  'name: abc\ncount: "1"\n': ['f:2:1  count: must be a number'],
  'name: abc\ncount: 10\n': ['f:2:1  count: must be at most 9'],
  'name: abc\nshare: .inf\n': ['f:2:1  share: must be a number'],
  'name: abc\non: yes\n': ['f:2:1  on: must be true or false'],
  'name: abc\nmode: fats\n': ['f:2:1  mode: must be one of fast, slow; did you mean "fast"?'],
  'name: abc\nmode:\n': ['f:2:1  mode: has no value; it must be one of fast, slow'],
  'name: abc\nlist: {}\n': ['f:2:1  list: must be a list'],
  'name: abc\nlist: [{source: a}, {soruce: b}]\n': [
    'f:2:21  list[1].source: missing',
    'f:2:22  list[1].soruce: unknown key; did you mean "source"?',
  ],
  'name: abc\nlist: [{source: a}, {source: a}, {source: a}]\n': ['f:2:1  list: must be at most 2 entries'],
  'name: abc\nmap: {A1: x}\n': ['f:2:7  map.A1: not a word'],
  'name: abc\nmap: {a: 1}\n': ['f:2:7  map.a: must be text; put it in quotes'],
  'name: abc\nmap: []\n': ['f:2:1  map: must be a map of keys'],
  'name: abc\nimage: A\n': ['f:2:1  image: not a name'],
  'name: abc\nimage: 5\n': ['f:2:1  image: a name or a map'],
  'name: abc\nimage:\n': ['f:2:1  image: has no value; give it one or take the key out'],
  'name: abc\nimage: {nmae: x}\n': [
    'f:2:1  image.name: missing',
    'f:2:9  image.nmae: unknown key; did you mean "name"?',
  ],
  'name: abc\nnested: {memory: 5}\n': ['f:2:10  nested.memory: not a size'],
  'name: abc\nnested:\n': ['f:2:1  nested: has no value; give it one or take the key out'],
  'just text\n': ['f:1:1  (document): must be a map of keys'],
};

test('refuses each fault in our own words', async (t) => {
  for (const [text, expected] of Object.entries(cases)) t.same(faults(text), expected, JSON.stringify(text));
});

test('all faults are listed in the order of the file, not of the schema', async (t) => {
  t.same(faults('zzz: 1\nnested:\n  memory: 1\nmap: {1: x}\ncount: 0\nname: 5\n'), [
    'f:1:1  zzz: unknown key',
    'f:3:3  nested.memory: not a size',
    'f:4:7  map.1: not a word',
    'f:5:1  count: must be at least 1',
    'f:6:1  name: must be text; put it in quotes',
  ]);
  t.same(inFileOrder(['f:10:1  b', 'f:9:20  a', 'f:9:3  c']), ['f:9:3  c', 'f:9:20  a', 'f:10:1  b']);
});

test('keys of a hostile file are escaped and bounded', async (t) => {
  const [fault = ''] = faults(`name: abc\n"\\e[2J${'x'.repeat(900)}": 1\n`);
  t.match(fault, /^f:2:1 {2}\\x1b\[2Jx+…: unknown key$/);
  t.ok(fault.length < 200);
});

test('known keys are found through optional, default, list, map and union', async (t) => {
  t.same(knownKeys(schema, ['list', 3]), ['source', 'target']);
  t.same(knownKeys(schema, ['image']), ['name']);
  t.same(knownKeys(schema, ['nested']), ['memory']);
  t.same(knownKeys(schema, ['no', 'such']), []);
  t.same(knownKeys(schema, ['constructor']), [], 'not those of an object in general');
  t.equal(keyText(['mounts', 0, 'target']), 'mounts[0].target');
  t.equal(keyText([]), '(document)');
});
