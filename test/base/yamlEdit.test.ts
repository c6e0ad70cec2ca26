// Owns the proof that an edit of a YAML list changes its own line and nothing else, whatever the layout.
import { test } from 'tap';
import { parseYaml } from '../../lib/base/yaml.ts';
import { appendToList, removeFromList } from '../../lib/base/yamlEdit.ts';

/** Ways to write the same: `{global: {allow: [a, b], deny: [c]}, tools: {t: {allow: [d]}}}`. */
const written: Readonly<Record<string, string>> = {
  block: 'global:\n  allow:\n    - a\n    - b\n  deny:\n    - c\ntools:\n  t:\n    allow:\n      - d\n',
  commented:
    '# head\nglobal: # g\n  # before\n  allow:    # list\n    # first\n    - a   # one\n\n    # second\n    - b # two\n    # after\n\n  deny:\n    - "c" # three\n# middle\ntools:\n  t: # t\n    allow:\n      - \'d\'\n# end\n',
  narrow: 'global:\n  allow:\n  - a\n  - b\n  deny:\n  - c\ntools:\n  t:\n    allow:\n    - d\n',
  wide: 'global:\n        allow:\n            -   a\n            -   b\n        deny:\n            -   c\ntools:\n        t:\n            allow:\n                - d\n',
  flow: 'global: {allow: [a, b], deny: [c]}\ntools: {t: {allow: [d]}}\n',
  mixed: 'global:\n  allow: [a,b]   # x\n  deny: ["c"]\ntools:\n  t: { allow: [ d ] }\n',
  'flow over lines':
    '{\n  global: {\n    allow: [\n      a, # one\n      b,\n    ],\n    deny: [c],\n  },\n  tools: {t: {allow: [d]}},\n}\n',
  json: '{"global":{"allow":["a","b"],"deny":["c"]},"tools":{"t":{"allow":["d"]}}}',
  marked:
    '%YAML 1.2\n---\nglobal:\n  allow:\n    - a\n    - b\n  deny:\n    - c\ntools:\n  t:\n    allow:\n      - d\n...\n',
};
const commented = written['commented'] ?? '';
const layouts: Readonly<Record<string, string>> = {
  ...written,
  'carriage returns': commented.replaceAll('\n', '\r\n'),
  'no last line end': commented.replace('\n# end\n', ''),
};

const lists = [
  ['global', 'allow'],
  ['global', 'deny'],
  ['tools', 't', 'allow'],
] as const;
const absent = [['global', 'more'], ['tools', 't', 'deny'], ['tools', 'u', 'allow'], ['x'], ['x', 'y', 'z']] as const;
const value = (text: string) => parseYaml(text, 'f').value;

/** What was taken out of `before` and put into `after`, at the one place where they differ. */
function difference(before: string, after: string): { out: string; in: string } {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  return { out: before.slice(start, before.length - end), in: after.slice(start, after.length - end) };
}

test('the layouts all say the same', async (t) => {
  for (const [name, text] of Object.entries(layouts)) t.same(value(text), value(layouts['json'] ?? ''), name);
});

test('an item is added by an insertion: every byte that was there stays', async (t) => {
  for (const [name, text] of Object.entries(layouts)) {
    for (const path of [...lists, ...absent]) {
      const after = appendToList({ text, file: 'f', path }, '*.new.example:80');
      t.equal(difference(text, after).out, '', `${name} ${path.join('.')}`);
      const again = appendToList({ text: after, file: 'f', path }, { host: '*.x', until: '2027-01-01T00:00:00Z' });
      t.equal(difference(after, again).out, '', `${name} ${path.join('.')} a map`);
      if (text.includes('\r')) t.notMatch(again, /(?<!\r)\n/, 'line ends stay');
    }
  }
});

test('an item is removed with its line and no other comment', async (t) => {
  for (const [name, text] of Object.entries(layouts)) {
    for (const path of lists) {
      for (let index = 0; index < (path[1] === 'allow' && path[0] === 'global' ? 2 : 1); index++) {
        const after = removeFromList({ text, file: 'f', path }, index);
        t.ok(difference(text, after).in.length <= 3, `${name} ${path.join('.')} ${index}: nothing but []`);
        const lost = text.split(/\r?\n/).filter((line) => /^ *#/.test(line) && !after.includes(line));
        t.same(lost, [], 'comments on lines of their own stay');
      }
    }
  }
});

test('what is added and removed again leaves the text as it was', async (t) => {
  for (const [name, text] of Object.entries(layouts)) {
    for (const path of lists) {
      const added = appendToList({ text, file: 'f', path }, 'z');
      const length = path[0] === 'global' && path[1] === 'allow' ? 2 : 1;
      t.equal(removeFromList({ text: added, file: 'f', path }, length), text, `${name} ${path.join('.')}`);
    }
  }
});

test('all items can be removed one by one, and added again', async (t) => {
  for (const [name, text] of Object.entries(layouts)) {
    const path = ['global', 'allow'];
    const one = removeFromList({ text, file: 'f', path }, 0);
    const none = removeFromList({ text: one, file: 'f', path }, 0);
    t.match(value(none), { global: { allow: [], deny: ['c'] } }, name);
    t.match(value(appendToList({ text: none, file: 'f', path }, 'e')), { global: { allow: ['e'] } }, name);
  }
});

test('words that YAML would read as something else are quoted', async (t) => {
  for (const word of [
    'true',
    'null',
    '1',
    '0x7f',
    '*.x',
    '.x',
    '&a',
    'a: b',
    'a #b',
    '- a',
    '',
    ' ',
    "'",
    '"',
    '\n',
    '{',
    'ü',
    '~',
  ]) {
    for (const text of ['l: [a]\n', 'l:\n  - a\n'])
      t.same(value(appendToList({ text, file: 'f', path: ['l'] }, word)), { l: ['a', word] }, JSON.stringify(word));
  }
});

test('a text of comments alone gets its first list', async (t) => {
  t.equal(appendToList({ text: '# a\n', file: 'f', path: ['g', 'l'] }, 'b'), '# a\ng:\n  l:\n    - b\n');
});

test('refuses a form in which it cannot be done by a splice, and changes nothing', async (t) => {
  const odd = ['l:\n  -\n    a\n', 'l: a\n', 'l: {a: 1}\n', '- a\n', 'just text\n'];
  for (const text of odd)
    t.throws(() => removeFromList({ text, file: 'f', path: ['l'] }, 0), { code: 'POLICY_EDIT' }, JSON.stringify(text));
  for (const text of odd.slice(1))
    t.throws(() => appendToList({ text, file: 'f', path: ['l'] }, 'b'), { code: 'POLICY_EDIT' }, JSON.stringify(text));
  t.throws(() => removeFromList({ text: 'l: [a]\n', file: 'f', path: ['l'] }, 7), { code: 'POLICY_EDIT' });
  t.throws(() => appendToList({ text: 'l: [\n', file: 'f', path: ['l'] }, 'b'), { code: 'YAML_INVALID' });
});
