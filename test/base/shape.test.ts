// Owns the promises of shapes: what is of the form comes back the same, all else is refused with its place.
import { test } from 'tap';
import {
  dictionary,
  flag,
  list,
  matching,
  nullable,
  object,
  oneOf,
  open,
  optional,
  orElse,
  pair,
  text,
  whole,
} from '../../lib/base/shape.ts';

const shape = object({
  name: matching(/^[a-z]+$/),
  kind: oneOf('a', 'b', 3),
  on: flag,
  count: whole(1),
  maybe: optional(text),
  later: orElse(list(text), []),
  none: nullable(text),
  words: list(text, 1),
  labels: dictionary(text),
  inner: object({ x: whole(0) }),
});
const good = {
  name: 'abc',
  kind: 3,
  on: true,
  count: 1,
  none: null,
  words: ['w'],
  labels: { any: 'thing' },
  inner: { x: 0 },
};

test('what has the form comes back, with what an older version did not write', (t) => {
  t.strictSame(shape(good), { ...good, later: [] });
  t.strictSame(shape({ ...good, maybe: 'm', later: ['l'], none: 'n' }), {
    ...good,
    maybe: 'm',
    later: ['l'],
    none: 'n',
  });
  t.end();
});

test('a label may have any name, and none of them is more than a label', (t) => {
  const given = JSON.parse('{"__proto__": "x", "constructor": "y"}') as unknown;
  t.strictSame(Object.entries(dictionary(text)(given)), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  t.end();
});

test('refuses every other form, and names the place', (t) => {
  const bad: [unknown, RegExp][] = [
    [null, /not an object/],
    [[], /not an object/],
    [{ ...good, name: 'ABC' }, /^name: is not text like/],
    [{ ...good, name: 7 }, /^name/],
    [{ ...good, kind: '3' }, /^kind: is not one of a, b, 3/],
    [{ ...good, on: 'true' }, /^on/],
    [{ ...good, count: 0 }, /^count/],
    [{ ...good, count: 1.5 }, /^count/],
    [{ ...good, count: 2 ** 60 }, /^count/],
    [{ ...good, maybe: null }, /^maybe/],
    [{ ...good, none: undefined }, /^none/],
    [{ ...good, words: [] }, /^words/],
    [{ ...good, words: ['a', 1] }, /^words: 1: is not text/],
    [{ ...good, words: { 0: 'a', length: 1 } }, /^words/],
    [{ ...good, labels: [] }, /^labels/],
    [{ ...good, labels: { a: 1 } }, /^labels: a: /],
    [{ ...good, inner: { x: 0, y: 0 } }, /^inner: has an unknown key "y"/],
    [JSON.parse(JSON.stringify(good).replace('{', '{"__proto__":{},')), /unknown key "__proto__"/],
    [Object.fromEntries(Object.entries(good).filter(([key]) => key !== 'on')), /^on/],
  ];
  for (const [value, message] of bad)
    t.throws(() => shape(value), { name: 'TypeError', message }, JSON.stringify(value));
  t.end();
});

test('what others write may hold more, and that stays as it is', (t) => {
  const loose = open({ pid: whole(2), process: open({ cwd: text, maybe: optional(text) }) });
  const given = { pid: 7, more: [1], process: { cwd: '/', rlimits: [{ soft: 1 }] } };
  t.strictSame(loose(given), given);
  const odd = JSON.parse('{"__proto__": {"pid": 9}, "process": {"cwd": "/"}}') as unknown;
  t.throws(() => loose(odd), { message: /^pid: / }, 'an inherited value is none');
  t.throws(() => loose({ ...given, process: { cwd: 3 } }), { message: /^process: cwd: is not text/ });
  t.throws(() => loose([]), { message: /not an object/ });
  t.end();
});

test('a pair is two, each of its own form', (t) => {
  const places = pair(text, whole(0));
  t.strictSame(places(['a', 1]), ['a', 1]);
  for (const bad of [['a'], ['a', 1, 2], ['a', 'b'], [1, 1], 'ab', null])
    t.throws(() => places(bad), { name: 'TypeError' }, JSON.stringify(bad));
  t.end();
});
