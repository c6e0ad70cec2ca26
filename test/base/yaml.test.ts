// Owns the proof that YAML is read as it is written, with a place for each key, and that its traps are refused.
import { test } from 'tap';
import { parseYaml } from '../../lib/base/yaml.ts';

const text = [
  '# first',
  'image: base',
  'limits:',
  '  memory: 64m',
  '  "pids": 3',
  'mounts:',
  '  - source: /a',
  '    target: /b',
  '',
];

test('a place is that of the key, or of its nearest parent', async (t) => {
  const { value, where } = parseYaml(text.join('\n'), 'f.yaml');
  t.same(value, { image: 'base', limits: { memory: '64m', pids: 3 }, mounts: [{ source: '/a', target: '/b' }] });
  t.equal(where(['image']), 'f.yaml:2:1');
  t.equal(where(['limits', 'pids']), 'f.yaml:5:3');
  t.equal(where(['mounts', 0, 'target']), 'f.yaml:8:5');
  t.equal(where(['mounts', 0, 'none']), 'f.yaml:7:5');
  t.equal(where(['mounts', 7]), 'f.yaml:6:1');
  t.equal(where(['limits', 'none', 'deeper']), 'f.yaml:3:1');
  t.equal(where(['image', 'deeper']), 'f.yaml:2:1');
  t.equal(where([]), 'f.yaml:2:1');
});

test('places are right with CRLF, flow maps and characters outside ASCII', async (t) => {
  t.equal(parseYaml('a: 1\r\nb: 2\r\n', 'f').where(['b']), 'f:2:1');
  t.equal(parseYaml('{a: ü, b: {c: 1}}', 'f').where(['b', 'c']), 'f:1:12');
});

test('words that older YAML took for booleans, octals and dates are text and decimal', async (t) => {
  const { value } = parseYaml('a: yes\nb: no\nc: on\nd: 012\ne: 1:30\nf: 2026-11-20\ng: ~\nh: "1"\n', 'f');
  t.same(value, { a: 'yes', b: 'no', c: 'on', d: 12, e: '1:30', f: '2026-11-20', g: null, h: '1' });
});

test('comments alone are no value; markers around one document are fine', async (t) => {
  t.equal(parseYaml('# only this\n', 'f').value, null);
  t.equal(parseYaml('# only this\n', 'f').where(['a', 'b']), 'f:1:1');
  t.same(parseYaml('%YAML 1.2\n---\na: 1\n...\n', 'f').value, { a: 1 });
});

const deep = (open: string, times: number, close = '') => open.repeat(times) + close.repeat(times);
const refused: Readonly<Record<string, readonly [string, RegExp]>> = {
  'an empty file': ['', /^f:1:1 {2}the file is empty$/],
  'a blank file': [' \n\n\t\n', /^f:1:1 {2}the file is empty$/],
  'a tab as indentation': ['a:\n\tb: 1\n', /^f:2:1 {2}Tabs are not allowed/],
  'an unclosed quote': ['a: "x\n', /^f:2:1 {2}Missing closing/],
  'a duplicate key': ['a: 1\nb: 2\na: 3\n', /^f:3:1 {2}the key "a" stands here twice$/],
  'a duplicate key in a list': ['- a: 1\n  a: 2\n', /^f:2:3 {2}the key "a"/],
  'a duplicate key of another type': ['1: a\n"1": b\n', /^f:2:1 {2}the key "1"/],
  'a __proto__ key': ['a:\n  __proto__: {x: 1}\n', /^f:2:3 {2}the key "__proto__" is not allowed$/],
  'a quoted __proto__ key': ['"__proto__": 1\n', /^f:1:1 /],
  'a list as a key': ['? [a]\n: b\n', /^f:1:3 {2}a key must be a plain word$/],
  'a null key': ['~: b\n', /^f:1:1 {2}a key must be a plain word$/],
  'two documents': ['a: 1\n---\na: 2\n', /^f:2:1 {2}several documents in one file$/],
  'an anchor': ['a: &x 1\n', /^f:1:7 {2}anchors and aliases are not read/],
  'an alias of nothing': ['a: *x\n', /^f:1:4 /],
  'a circle': ['a: &x {b: *x}\n', /^f:1:7 {2}anchors/],
  'a tag': ['a: !!binary aGk=\n', /^f:1:13 {2}tags are not read/],
  'a tag of strings': ['a: !!str 1\n', /tags are not read/],
  'an unknown tag': ['a: !run x\n', /^f:1:4 /],
  'another version': ['%YAML 1.1\n---\na: yes\n', /^f:1:1 {2}only YAML 1\.2 is read$/],
  'deep lists': [deep('[', 20_000), /nested deeper than 64$/],
  'deep closed lists': [deep('[', 300, ']'), /^f:1:[0-9]+ {2}nested deeper than 64$/],
  'deep maps': [deep('{a: ', 20_000), /nested deeper than 64$/],
};

test('refuses what is not YAML, or says one thing and means another', async (t) => {
  for (const [title, [content, message]] of Object.entries(refused)) {
    t.throws(() => parseYaml(content, 'f'), { code: 'YAML_INVALID', message }, `refuses ${title}`);
  }
});

test('refuses a bomb of aliases before it is unrolled', async (t) => {
  const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [was, is] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
    lines.push(`${is}: &${is} [${`*${was},`.repeat(9)}]`);
  }
  t.throws(() => parseYaml(lines.join('\n'), 'f'), { code: 'YAML_INVALID', message: /^f:1:7 / });
});

test('a hundred thousand keys are read', async (t) => {
  const { value } = parseYaml(Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join('\n'), 'f');
  t.equal(Object.keys(value as object).length, 100_000);
});

test('a file name or a key with escapes reaches no terminal through a message of ours', async (t) => {
  t.throws(() => parseYaml('"\\e[31m": 1\n"\\e[31m": 2\n', 'f'), { message: /the key "\\x1b\[31m" stands here twice/ });
});
