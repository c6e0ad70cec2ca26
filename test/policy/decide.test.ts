// Owns the proof of the order of decision, and that each decision names its rule, file and line.
import { test } from 'tap';
import { decide, type Principal, readTarget } from '../../lib/policy/decide.ts';
import type { Policy } from '../../lib/policy/policy.ts';
import { addressSpellings, malformedNames } from './spellings.ts';
import { clock, policy } from './world.ts';

const both: Principal = { tool: 'web@v1', profile: 'py' };

function ask(rules: Policy, host: string, principal: Principal = both, port = 443) {
  return decide(rules, principal, host, port, clock);
}

/** Six lists that may each name the host, in the order in which they decide. */
const lists = [
  ['tools', 'web@v1', 'deny'],
  ['profiles', 'py', 'deny'],
  ['global', '', 'deny'],
  ['tools', 'web@v1', 'allow'],
  ['profiles', 'py', 'allow'],
  ['global', '', 'allow'],
] as const;

function policyOf(chosen: readonly (typeof lists)[number][]): Policy {
  const content: Record<string, Record<string, unknown>> = {
    global: {},
    profiles: { py: {} },
    tools: { 'web@v1': {} },
  };
  for (const [kind, name, effect] of chosen) {
    const scope = (name === '' ? content[kind] : content[kind]?.[name]) as Record<string, unknown>;
    scope[effect] = ['example.org'];
  }
  return policy(JSON.stringify(content));
}

test('of every choice of lists that name a host, the first in the order decides', async (t) => {
  for (let mask = 0; mask < 2 ** lists.length; mask++) {
    const chosen = lists.filter((_, i) => (mask & (2 ** i)) !== 0);
    const { result, reason, rule } = ask(policyOf(chosen), 'example.org');
    const [first] = chosen;
    const wanted = first === undefined ? ['deny', 'unlisted', undefined] : [first[2], 'rule', first.join('.')];
    const found = rule && [`${rule.scope.kind}s`.replace('globals', 'global'), rule.scope.name, rule.effect].join('.');
    t.same([result, reason, found], wanted, `lists ${mask.toString(2)}`);
  }
});

test('a list that does not name the host leaves the decision to the next', async (t) => {
  const rules = policy('tools: {web@v1: {allow: [a.example], deny: [b.example]}}', 'global: {allow: [c.example]}');
  t.match(ask(rules, 'c.example'), { result: 'allow', rule: { scope: { kind: 'global' } } });
});

test('rules of another tool or profile are nobody else’s', async (t) => {
  const rules = policy('tools: {web@v1: {allow: [a.example]}}', 'profiles: {py: {allow: [b.example]}}');
  const reach = (principal: Principal) =>
    ['a.example', 'b.example'].filter((host) => ask(rules, host, principal).result === 'allow');
  t.same(reach(both), ['a.example', 'b.example']);
  t.same(reach({ tool: 'web@v1' }), ['a.example']);
  t.same(reach({ profile: 'py' }), ['b.example']);
  for (const other of [
    {},
    { tool: 'web@v2' },
    { tool: 'web' },
    { tool: 'py' },
    { profile: 'web@v1' },
    { tool: 'WEB@v1' },
  ])
    t.same(reach(other), [], JSON.stringify(other));
});

test('refuses everything when the lists are empty, missing, or the file is comments alone', async (t) => {
  for (const text of ['global: {allow: []}', 'global: {}', '{}', '# nothing', 'tools: {web@v1: {allow: []}}'])
    t.match(ask(policy(text), 'example.org'), { result: 'deny', reason: 'unlisted', rule: undefined }, text);
});

test('a decision names the rule, the file, the line and the column', async (t) => {
  const rules = policy('# c', 'global:', '  allow:', '    - a.example', '    - "*.b.example:8443" # why');
  t.match(ask(rules, 'X.B.example.', both, 8443), {
    result: 'allow',
    host: 'x.b.example',
    port: 8443,
    text: 'global allows *.b.example:8443',
    rule: { where: 'f.yaml:5:7', path: ['global', 'allow', 1] },
  });
});

test('refuses ports that the rule does not name, and says which it does', async (t) => {
  const rules = policy('global: {allow: [a.example, "b.example:22"], deny: ["a.example:80", c.example]}');
  t.match(ask(rules, 'a.example', both, 22), {
    result: 'deny',
    reason: 'port',
    text: 'global allows a.example on 80 and 443 only',
  });
  t.match(ask(rules, 'b.example'), { result: 'deny', reason: 'port', text: 'global allows b.example:22 on 22 only' });
  t.match(ask(rules, 'b.example', both, 22), { result: 'allow' });
  t.match(ask(rules, 'a.example', both, 80), { result: 'deny', reason: 'rule' }, 'a denial of one port');
  t.match(ask(rules, 'a.example', both, 443), { result: 'allow' });
  t.match(ask(rules, 'c.example', both, 9), { result: 'deny', reason: 'rule' }, 'a denial without a port is of all');
  for (const port of [0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    t.match(ask(rules, 'a.example', both, port), { result: 'deny', reason: 'malformed' }, `refuses port ${port}`);
});

test('refuses addresses and malformed hosts without throwing, whatever the policy allows', async (t) => {
  const rules = policy('global: {allow: [".example.org", "example.123.example.org"]}');
  for (const host of addressSpellings)
    t.match(ask(rules, host), { result: 'deny', reason: 'address' }, `refuses ${host}`);
  for (const host of malformedNames)
    t.match(ask(rules, host), { result: 'deny', reason: 'malformed' }, `refuses ${JSON.stringify(host).slice(0, 60)}`);
  for (const host of ['example.org', 'EXAMPLE.ORG.', 'a.b.example.org'])
    t.match(ask(rules, host), { result: 'allow' }, `the control: ${host}`);
});

test('no spelling gets past a denial', async (t) => {
  const rules = policy('global: {allow: [".example.org"], deny: ["bücher.example.org", "*.evil.example.org"]}');
  const spellings = [
    'bücher.example.org',
    'BÜCHER.example.org.',
    'bu\u0308cher.example.org',
    'xn--bcher-kva.EXAMPLE.org',
  ];
  for (const host of [...spellings, 'a.evil.example.org', 'A.B.Evil.example.org.'])
    t.match(ask(rules, host), { result: 'deny', reason: 'rule' }, `refuses ${host}`);
  t.match(ask(rules, 'evil.example.org'), { result: 'allow' }, 'the control: *.x is not x');
});

test('a grant holds until the wall clock or the clock of its boot ends it, whichever is first', async (t) => {
  const grant = (until: string, boot?: string) =>
    policy('grants:', `  - {host: a.example, until: "${until}"${boot === undefined ? '' : `, boot: "${boot}"`}}`);
  const [later, sooner] = ['2026-06-01T12:00:01Z', '2026-06-01T12:00:00Z'];
  t.match(ask(grant(later), 'a.example'), { result: 'allow' });
  t.match(ask(grant('2026-06-01T14:00:01+02:00'), 'a.example'), { result: 'allow' }, 'in another zone');
  t.match(ask(grant(sooner), 'a.example'), { result: 'deny', reason: 'ended' });
  t.match(ask(grant(later, `${clock.bootId}@1001`), 'a.example'), { result: 'allow' });
  t.match(ask(grant(later, `${clock.bootId}@1000`), 'a.example'), { reason: 'ended' }, 'the clock was set back');
  t.match(ask(grant(sooner, `${clock.bootId}@1001`), 'a.example'), { reason: 'ended' }, 'the machine slept');
  const other = clock.bootId.replace('0f', '1f');
  t.match(ask(grant(later, `${other}@9999`), 'a.example'), { reason: 'ended' }, 'the machine was booted again');
});

test('a grant is of its scope, and a denial beats it', async (t) => {
  const until = 'until: "2027-01-01T00:00:00Z"';
  const rules = policy(
    'global: {deny: [no.example]}',
    'grants:',
    `  - {host: a.example, tool: web@v1, ${until}}`,
    `  - {host: b.example, profile: py, ${until}}`,
    `  - {host: no.example, tool: web@v1, ${until}}`,
  );
  t.match(ask(rules, 'a.example'), { result: 'allow', rule: { where: 'f.yaml:3:5' } });
  t.match(ask(rules, 'a.example', { profile: 'py' }), { result: 'deny' });
  t.match(ask(rules, 'b.example', { profile: 'py' }), { result: 'allow' });
  t.match(ask(rules, 'no.example'), { result: 'deny', rule: { where: 'f.yaml:1:17' } });
});

test('a private exception allows nothing by itself, and comes with what is allowed', async (t) => {
  const exception = 'private: [{host: ".corp.example", addresses: [10.1.0.0/16]}]';
  const rules = policy(`global: {allow: [a.example], ${exception}}`, `tools: {web@v1: {allow: [git.corp.example]}}`);
  const networks = (host: string, principal?: Principal) =>
    ask(rules, host, principal).networks.map(({ text }) => text);
  t.same(networks('git.corp.example'), ['10.1.0.0/16']);
  t.same([networks('a.example'), networks('git.corp.example', {})], [[], []]);
  t.match(ask(rules, 'other.corp.example'), { result: 'deny', reason: 'unlisted' });
});

test('ten thousand rules are looked up by name', async (t) => {
  const hosts = Array.from({ length: 10_000 }, (_, i) => `h${i}.example`);
  const rules = policy(JSON.stringify({ global: { allow: hosts } }));
  t.equal(rules.byHost.get('h9999.example')?.length, 1);
  t.ok(hosts.every((host) => ask(rules, host).result === 'allow'));
  t.equal(ask(rules, 'h10000.example').result, 'deny');
});

test('a target is a host and a port, 443 when there is none', async (t) => {
  t.same(readTarget('a.example'), { host: 'a.example', port: 443 });
  t.same(readTarget('a.example:22'), { host: 'a.example', port: 22 });
  for (const text of ['a.example:', 'a.example:0', 'a.example:x']) t.equal(readTarget(text).port, 0, text);
  for (const text of ['::1', '[::1]:80', 'a.example:1:2']) t.equal(readTarget(text).host, text);
});
