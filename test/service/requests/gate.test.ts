// Owns holding requests: what an approval could not help is denied at once, the rest waits for a policy, a no, or the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { Clock } from '../../../lib/policy/clock.ts';
import { parsePolicy } from '../../../lib/policy/load.ts';
import type { Approvals } from '../../../lib/policy/policy.ts';
import { type Asked, mostHeld, openGate } from '../../../lib/service/requests/gate.ts';
import { readRequests } from '../../../lib/service/requests/requests.ts';
import { openRequestStore, recordAnswer } from '../../../lib/service/requests/store.ts';

const clock: Clock = { wallMs: 1000, bootId: 'b', bootMs: 1000 };

function makeGate(t: Test, patienceMs = 600_000, approvals: Approvals = 'prompt') {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-gate-'));
  let policy = parsePolicy('global: {allow: [yes.example], deny: [no.example]}', 'f.yaml');
  const options = { folder, now: () => 1000 };
  const store = openRequestStore(options);
  const gate = openGate({
    store,
    folder,
    policy: () => policy,
    clock: () => clock,
    approvals: () => approvals,
    grant: async (_, { host }) => change(`global: {allow: [${host}]}`),
    patienceMs,
  });
  t.teardown(() => {
    gate.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = (asked: Partial<Asked> = {}) =>
    gate.ask({
      run: 'r1',
      tool: undefined,
      profile: 'py',
      host: 'new.example',
      port: 443,
      signal: new AbortController().signal,
      ...asked,
    });
  const change = (text: string) => {
    policy = parsePolicy(text, 'f.yaml');
    gate.policyChanged();
  };
  const requests = async () => [...(await readRequests(folder, 1000)).byId.values()];
  return { ask, change, gate, options, requests };
}

test('what the policy decides for good is not held', async (t) => {
  const { ask, requests } = makeGate(t);
  t.equal(await ask({ host: 'yes.example' }), 'allow');
  for (const host of ['no.example', '127.0.0.1', 'a b', '\u001b[2J']) t.equal(await ask({ host }), 'deny');
  t.same(await requests(), [], 'the proxy records what it denies');
});

test('a held request goes on when the policy allows it, and only then', async (t) => {
  const { ask, change, requests } = makeGate(t);
  const [held, other] = [ask(), ask({ host: 'other.example' })];
  t.match(await requests(), [{ host: 'new.example', state: 'waiting' }, { state: 'waiting' }]);
  change('global: {allow: [third.example]}');
  change('profiles: {py: {allow: [new.example]}}');
  t.equal(await held, 'allow');
  change('global: {allow: [other.example], deny: [new.example]}');
  t.equal(await other, 'allow');
});

test('a rejection ends it, and the same is not asked again', async (t) => {
  const { ask, options, requests } = makeGate(t);
  const held = ask();
  const [{ id } = { id: '' }] = await requests();
  recordAnswer(options, id, { answer: 'rejected', by: 'uid 1', until: undefined });
  t.equal(await held, 'deny');
  t.equal(await ask(), 'deny');
});

test('an answer that says approved opens nothing: only the policy does', async (t) => {
  const { ask, gate, options, requests } = makeGate(t);
  const held = ask();
  const [{ id } = { id: '' }] = await requests();
  recordAnswer(options, id, { answer: 'approved', by: 'uid 1', until: undefined });
  gate.policyChanged();
  gate.close();
  t.equal(await held, 'deny');
});

test('no answer is a no', async (t) => {
  const { ask, requests } = makeGate(t, 1);
  t.equal(await ask(), 'deny');
  t.match(await requests(), [{ state: 'expired' }]);
});

test('a guest that hangs up is not waited for, and a run cannot hold more than its share', async (t) => {
  const { ask, change } = makeGate(t);
  const gone = new AbortController();
  const left = ask({ signal: gone.signal });
  gone.abort();
  t.equal(await left, 'deny');
  const held = Array.from({ length: mostHeld.ofRun }, (_, i) => ask({ host: `h${i}.example` }));
  t.equal(await ask({ host: 'more.example' }), 'deny');
  const another = ask({ run: 'r2' });
  change('global: {allow: [".example.org", new.example]}');
  t.equal(await another, 'allow', 'the control: another run may');
  change(`global: {allow: [${held.map((_, i) => `h${i}.example`).join(', ')}]}`);
  t.same(new Set(await Promise.all(held)), new Set(['allow']));
});

test('reject_all holds nothing, approve_all grants what an approval could help', async (t) => {
  const none = makeGate(t, 600_000, 'reject_all');
  t.equal(await none.ask(), 'deny');
  t.same(await none.requests(), []);
  const all = makeGate(t, 600_000, 'approve_all');
  t.equal(await all.ask({ host: 'no.example' }), 'deny', 'a denial of the policy stands');
  t.equal(await all.ask(), 'allow');
});
