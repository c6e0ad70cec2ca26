// Owns the proof that a profile's own list takes away from what the policy allows, and never adds.
import { test } from 'tap';
import { decide } from '../../lib/policy/decide.ts';
import { isWithin, type Narrowing, narrow, readNarrowing } from '../../lib/policy/narrowing.ts';
import { clock, policy } from './world.ts';

function listOf(...allow: string[]): Narrowing {
  const read = readNarrowing(allow);
  if (read.fault !== undefined) throw new Error(read.fault);
  return read.narrowing;
}

test('a list stands for its patterns alone', (t) => {
  const list = listOf('a.example', '*.b.example', '.c.example', 'd.example:8443');
  for (const [host, port] of [
    ['a.example', 443],
    ['A.Example.', 80],
    ['x.y.b.example', 443],
    ['c.example', 443],
    ['x.c.example', 80],
    ['d.example', 8443],
  ] as const)
    t.ok(isWithin(list, host, port), `${host}:${port}`);
  for (const [host, port] of [
    ['x.a.example', 443],
    ['a.example', 22],
    ['a.example', 0],
    ['b.example', 443],
    ['d.example', 443],
    ['xa.example', 443],
    ['', 443],
    ['127.0.0.1', 443],
    ['ａ.example', 443],
    ['a.example/', 443],
    ['u@a.example', 443],
    ['a.example\n', 443],
  ] as const)
    t.notOk(isWithin(list, host, port), `${JSON.stringify(host)}:${port}`);
  t.ok(isWithin(undefined, 'any.example', 22), 'without a list there is no narrowing');
  t.notOk(isWithin([], 'a.example', 443), 'an empty one lets nothing through');
  t.end();
});

test('refuses what is no host pattern, and says which', (t) => {
  t.match(readNarrowing(['a.example', 'http://b.example']), { fault: /^network\.allow\[1\]: .* is a URL/ });
  t.match(readNarrowing(['*']), { fault: /^network\.allow\[0\]: / });
  t.match(readNarrowing(['10.0.0.1']), { fault: /^network\.allow\[0\]: / });
  t.same(readNarrowing(undefined), { narrowing: undefined });
  t.end();
});

test('it takes away from a decision, and adds nothing', (t) => {
  const rules = policy('global: {allow: [a.example, b.example], deny: [c.example]}');
  const ask = (host: string, list: Narrowing) => narrow(decide(rules, {}, host, 443, clock), list);
  const list = listOf('b.example', 'c.example', 'd.example');
  t.match(ask('a.example', undefined), { result: 'allow' }, 'control');
  t.match(ask('a.example', list), { result: 'deny', reason: 'profile', networks: [] });
  t.match(ask('b.example', list), { result: 'allow', reason: 'rule' });
  t.match(ask('c.example', list), { result: 'deny', reason: 'rule' });
  t.match(ask('d.example', list), { result: 'deny', reason: 'unlisted' });
  t.end();
});
