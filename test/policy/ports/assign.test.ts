// Owns which port a name is given: stable, within the ranges, never one that is taken.
import { test } from 'tap';
import { choosePort } from '../../../lib/policy/ports/assign.ts';

const ranges = [
  { first: 3000, last: 3004 },
  { first: 3003, last: 3009 },
  { first: 5000, last: 5001 },
];
const choose = (name: string, taken: readonly number[] = [], uid = 1000) =>
  choosePort({ name, uid, ranges, taken: (port) => taken.includes(port) });

test('the same name has the same port, and users differ', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `name-${i}`);
  for (const name of names) t.equal(choose(name), choose(name));
  t.ok(new Set(names.map((name) => choose(name))).size > 6, 'names are spread');
  t.ok(
    names.some((name) => choose(name) !== choose(name, [], 1001)),
    'two users seldom want the same',
  );
});

test('every port of the ranges is given out once, and then none', async (t) => {
  const given: number[] = [];
  for (let i = 0; i < 12; i++) given.push(choose('one', given));
  t.strictSame(
    given.toSorted((a, b) => a - b),
    [3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009, 5000, 5001],
  );
  t.throws(() => choose('one', given), { code: 'PORTS_FULL', message: /all 12/ });
});

test('refuses to assign where there is no range', async (t) => {
  const none = { name: 'a', uid: 0, ranges: [], taken: () => false };
  t.throws(() => choosePort(none), { code: 'PORTS_FULL', message: /no range/ });
});
