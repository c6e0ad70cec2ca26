// Owns when two listings of a table are the same table.
import { test } from 'tap';
import { findDrift, isSame, readCounters, readState } from '../../lib/firewall/state.ts';

const place = { family: 'inet', table: 'cofferdam' };
const listing = (...objects: readonly object[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1' } }, ...objects] });
const set = (handle: number, ...elem: readonly unknown[]) => ({
  set: { ...place, name: 's', type: 'uid', handle, elem },
});
const counter = (packets: number) => ({ counter: { ...place, name: 'c', handle: 1, packets, bytes: packets * 60 } });
const rule = (handle: number, verdict: string) => ({
  rule: { ...place, chain: 'o', handle, expr: [{ [verdict]: null }] },
});

test('handles, counts and the order of elements are no difference', (t) => {
  const one = readState(listing(set(3, 1, { range: [5, 9] }), counter(0), rule(7, 'drop')));
  const two = readState(listing(set(33, { range: [5, 9] }, 1), counter(12), rule(77, 'drop')));
  t.ok(isSame(one, two));
  t.end();
});

test('an element, a rule or the order of rules is one', (t) => {
  const one = readState(listing(set(3, 1), rule(7, 'drop'), rule(8, 'accept')));
  t.notOk(isSame(one, readState(listing(set(3, 1, 2), rule(7, 'drop'), rule(8, 'accept')))));
  t.notOk(isSame(one, readState(listing(set(3, 1), rule(7, 'drop')))));
  t.notOk(isSame(one, readState(listing(set(3, 1), rule(7, 'accept'), rule(8, 'drop')))));
  t.notOk(isSame(one, []));
  t.notOk(isSame([], one));
  t.strictSame(findDrift(one, readState(listing(set(3), rule(7, 'drop'), rule(8, 'accept')))), {
    extra: [],
    missing: ['element s 1'],
  });
  t.end();
});

test('refuses to compare what it cannot read', (t) => {
  for (const text of ['', 'x', '{}', '[]', 'null', '{"nftables": 1}', '{"nftables": [1]}'])
    t.throws(() => readState(text), { code: 'FIREWALL_UNREADABLE' }, text);
  t.end();
});

test('counters are read by name', (t) => {
  t.strictSame([...readCounters(listing(set(1), counter(5)))], [['c', 5]]);
  t.end();
});
