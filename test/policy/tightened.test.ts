// Tests which changes of a policy take something away from whom.
import { test } from 'tap';
import type { Clock } from '../../lib/policy/clock.ts';
import { parsePolicy } from '../../lib/policy/load.ts';
import { isTightened, liveGrants } from '../../lib/policy/tightened.ts';

const clock = (wallMs = 0): Clock => ({ wallMs, bootId: '00000000-0000-0000-0000-000000000000', bootMs: wallMs });
const at = (text: string, wallMs = 0) => ({ policy: parsePolicy(text, 'p.yaml'), clock: clock(wallMs) });
const tool = { tool: 'a@v1', profile: 'p' };
const other = { tool: 'b@v1', profile: 'q' };

const base = 'global: {allow: [one.example.org]}\ntools: {a@v1: {allow: [two.example.org]}}\n';

test('what is added to an allow list, or taken from a deny list, takes nothing away', (t) => {
  t.notOk(isTightened(at(base), at(base), tool));
  t.notOk(isTightened(at(base), at(`${base}profiles: {p: {allow: [three.example.org]}}\n`), tool));
  const denied = 'global: {allow: [one.example.org], deny: [x.example.org]}\n';
  t.notOk(isTightened(at(denied), at('global: {allow: [one.example.org]}\n'), tool));
  t.end();
});

test('a removed allowance, a new denial and a removed exception concern those whose scope they stand in', (t) => {
  const without = 'global: {allow: [one.example.org]}\n';
  t.ok(isTightened(at(base), at(without), tool));
  t.notOk(isTightened(at(base), at(without), other));
  const denied = `${base}profiles: {q: {deny: [one.example.org]}}\n`;
  t.notOk(isTightened(at(base), at(denied), tool));
  t.ok(isTightened(at(base), at(denied), other));
  t.ok(isTightened(at(base), at(base.replace('one.example.org', 'one.example.org:443')), other), 'a port is less');
  const excepted = `${base}profiles: {p: {private: [{host: one.example.org, addresses: [10.0.0.0/8]}]}}\n`;
  t.ok(isTightened(at(excepted), at(base), tool));
  t.notOk(isTightened(at(excepted), at(base), other));
  t.end();
});

test('the end of a grant takes it away; a rule in its place does not', (t) => {
  const granted = 'grants: [{host: one.example.org, tool: a@v1, until: "1970-01-01T00:00:10Z"}]\n';
  t.ok(isTightened(at(granted, 0), at(granted, 10_000), tool));
  t.notOk(isTightened(at(granted, 0), at(granted, 9_999), tool));
  t.notOk(isTightened(at(granted, 0), at(granted, 10_000), other));
  t.notOk(isTightened(at(granted, 0), at('tools: {a@v1: {allow: [one.example.org]}}\n', 10_000), tool));
  t.equal(liveGrants(at(granted, 0)), '1');
  t.equal(liveGrants(at(granted, 10_000)), '0');
  t.end();
});

test('a way that the policy no longer has concerns everybody', (t) => {
  const enforced = (lines: readonly string[]) => at(['global: {allow: [a.example]}', ...lines].join('\n'));
  const turns = [
    [[], ['sni: strict'], true],
    [['sni: strict'], [], false],
    [[], ['parentProxy: "http://p.example:1"'], true],
    [['parentProxy: "http://p.example:1"'], ['parentProxy: "http://p.example:2"'], true],
    [['parentProxy: "http://p.example:1"'], ['parentProxy: "http://P.example:1/"'], false],
    [[], ['environmentProxy: true'], true],
    [[], ['mode: strict'], false],
  ] as const;
  for (const [before, after, wanted] of turns)
    t.equal(isTightened(enforced(before), enforced(after), {}), wanted, `${before} to ${after}`);
  t.end();
});
