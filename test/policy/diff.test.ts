// Owns the proof that a change is told for what it is: more may leave, or less.
import { test } from 'tap';
import { diffPolicies } from '../../lib/policy/diff.ts';
import { policy } from './world.ts';

const until = 'until: "2027-01-01T00:00:00Z"';

/** From nothing to this: which way each goes; the way back is the opposite. */
const table: Readonly<Record<string, readonly [text: string, effect: 'widens' | 'tightens', says: RegExp]>> = {
  'an allowance': ['global: {allow: [a.example]}', 'widens', /^\+ allow a\.example for global$/],
  'an allowance of a tool': [
    'tools: {t: {allow: ["*.a.example:1"]}}',
    'widens',
    /^\+ allow \*\.a\.example:1 for tool t$/,
  ],
  'a denial': ['profiles: {p: {deny: [a.example]}}', 'tightens', /^\+ deny a\.example for profile p$/],
  'a grant': [`grants: [{host: a.example, ${until}}]`, 'widens', /^\+ allow a\.example for global until 2027-/],
  'an exception': [
    'global: {private: [{host: a.example, addresses: [10.0.0.1]}]}',
    'widens',
    /private 10\.0\.0\.1\/32/,
  ],
  'a lower bound': ['global: {limits: {atOnce: 1}}', 'tightens', /limits\.atOnce for global: 64 to 1$/],
  'a higher bound': ['global: {limits: {perRun: {bytes: 1t}}}', 'widens', /perRun\.bytes/],
  'a bound of a tool': ['tools: {t: {limits: {perMinute: {requests: 9999999}}}}', 'tightens', /none to 9999999$/],
  'another mode': ['mode: strict', 'tightens', /^mode: scoped to strict$/],
};

test('each change is said with its direction, and its reverse with the other', async (t) => {
  const nothing = policy('{}');
  for (const [title, [text, effect, says]] of Object.entries(table)) {
    const there = policy(text);
    t.match(diffPolicies(nothing, there), [{ effect, text: says }], title);
    const back = diffPolicies(there, nothing);
    t.same(
      back.map((change) => change.effect),
      [effect === 'widens' ? 'tightens' : 'widens'],
      `${title}, taken back`,
    );
    t.same(diffPolicies(there, policy(text)), [], `${title}, twice`);
  }
});

test('other name servers are never less, in neither direction', async (t) => {
  const [none, some] = [policy('{}'), policy('dns: {servers: [192.0.2.1]}')];
  for (const [before, after] of [
    [none, some],
    [some, none],
  ] as const)
    t.match(diffPolicies(before, after), [{ effect: 'widens', text: /^dns\.servers/ }]);
});

test('order, spelling and layout are no change', async (t) => {
  const one = policy('global: {allow: [a.example, "*.b.example"], deny: []}');
  t.same(diffPolicies(one, policy('# c', 'global:', '  allow:', '    - "*.B.example."', '    - A.example')), []);
});

test('a grant that ends later is another one', async (t) => {
  const [sooner, later] = [
    policy(`grants: [{host: a.example, ${until}}]`),
    policy(`grants: [{host: a.example, ${until.replace('2027', '2028')}}]`),
  ];
  t.match(diffPolicies(sooner, later), [{ effect: 'tightens' }, { effect: 'widens' }]);
});
