// Owns what is recorded of denials: once for each run, principal, host and port; bounded; first answers hold; nothing hostile.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { Clock } from '../../../lib/policy/clock.ts';
import { parsePolicy } from '../../../lib/policy/load.ts';
import { recordDenial } from '../../../lib/service/requests/recorder.ts';
import { findRequest, readRequests } from '../../../lib/service/requests/requests.ts';
import { type Denial, mostPerRun, openRequestStore, recordAnswer } from '../../../lib/service/requests/store.ts';

const clock: Clock = { wallMs: 1000, bootId: 'b', bootMs: 1000 };
const denial: Denial = {
  run: 'r1',
  tool: 'web@v1',
  profile: 'py',
  host: 'a.example',
  port: 443,
  reason: 'unlisted',
  text: 'no rule allows it',
  where: undefined,
};

function makeStore(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-requests-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  let now = 1000;
  const options = { folder, now: () => now++ };
  const read = async (at = 0) => [...(await readRequests(folder, at)).byId.values()];
  return { folder, options, store: openRequestStore(options), read };
}

test('the same host, port and principal in one run is one request, with a count', async (t) => {
  const { store, read } = makeStore(t);
  const first = store.deny(denial);
  for (const host of ['A.example', 'a.example.', 'a.EXAMPLE']) t.equal(store.deny({ ...denial, host })?.id, first?.id);
  const others = [{ run: 'r2' }, { tool: undefined }, { profile: 'js' }, { host: 'b.example' }, { port: 80 }];
  const ids = others.map((other) => store.deny({ ...denial, ...other })?.id);
  t.equal(new Set([first?.id, ...ids]).size, 6);
  t.match((await read())[0], { id: first?.id, count: 4, state: 'denied', host: 'a.example', first: 1000 });
  store.deny(denial);
  t.equal((await read())[0]?.count, 4, 'not written each time');
  store.endRun('r1');
  t.equal((await read())[0]?.count, 5, 'exact at the end of the run');
  t.not(store.deny(denial)?.id, first?.id, 'a run that begins anew');
});

test('a run that invents hosts fills neither disk nor memory', async (t) => {
  const { store, read, folder } = makeStore(t);
  for (let i = 0; i < mostPerRun + 50; i++) store.deny({ ...denial, host: `h${i}.example` });
  t.ok(store.deny({ ...denial, run: 'r2' }), 'another run is not in its shadow');
  store.endRun('r1');
  t.equal((await read()).length, mostPerRun + 1);
  t.same([...(await readRequests(folder, 0)).unkept], [['r1', 50]]);
});

test('what the guest wrote is recorded harmlessly', async (t) => {
  const { store, read, folder } = makeStore(t);
  for (const host of ['\u001b[31m\u202ea', 'a\nb', `${'x'.repeat(1_000_000)}.example`, '"}\n{"v":1}'])
    store.deny({ ...denial, host, reason: 'malformed', text: `the host ${host}` });
  t.equal((await read()).length, 4);
  for (const { host, text } of await read()) {
    t.notMatch(`${host}${text}`, /[\u0000-\u001f\u202e]/);
    t.ok(host.length < 600 && text.length < 800);
  }
  t.equal(readFileSync(join(folder, 'requests.log'), 'utf8').trimEnd().split('\n').length, 4);
});

test('the first answer holds, and no line makes an id stand for another host', async (t) => {
  const { store, options, read, folder } = makeStore(t);
  const id = store.deny(denial)?.id ?? '';
  store.hold(id, 5000);
  t.match(await read(1000), [{ state: 'waiting', until: 5000 }]);
  t.match(await read(5000), [{ state: 'expired' }], 'nobody holds it any more');
  recordAnswer(options, id, { answer: 'rejected', by: 'uid 1', until: undefined });
  recordAnswer(options, id, { answer: 'approved', by: 'uid 2', until: 9000 });
  store.expire(id);
  const line = JSON.parse(readFileSync(join(folder, 'requests.log'), 'utf8').split('\n')[0] ?? '');
  appendFileSync(join(folder, 'requests.log'), `${JSON.stringify({ ...line, host: 'evil.example' })}\n`);
  t.match(await read(1000), [{ state: 'rejected', host: 'a.example' }]);
});

test('lines that are none of ours are counted and say nothing', async (t) => {
  const { store, folder } = makeStore(t);
  store.deny(denial);
  const lines = ['', '{', '[]', '{"v":1}', '{"v":2,"time":1,"event":"approval.expired","id":"q"}', '\u001b[2J'];
  appendFileSync(join(folder, 'requests.log'), `${lines.join('\n')}\n`);
  const found = await readRequests(folder, 0);
  t.equal(found.unreadable, lines.length);
  t.equal(found.byId.size, 1);
});

test('a request is found by its id or the beginning of it', async (t) => {
  const { store, folder } = makeStore(t);
  const id = store.deny(denial)?.id ?? '';
  const requests = await readRequests(folder, 0);
  t.equal(findRequest(requests, id).id, id);
  t.equal(findRequest(requests, id.slice(0, 6)).id, id);
  for (const [text, code] of [
    ['q', 'REQUEST_UNKNOWN'],
    ['q000000000000000f', 'REQUEST_UNKNOWN'],
    ['', 'ID_INVALID'],
    ['../q', 'ID_INVALID'],
    ['\u001b[2J', 'ID_INVALID'],
  ] as const)
    t.throws(() => findRequest(requests, text), { code }, JSON.stringify(text));
});

test('a denial is recorded with what the policy says about it, an allowance is not', async (t) => {
  const { store, read } = makeStore(t);
  const policy = parsePolicy('global:\n  allow: [a.example]\n  deny: [no.example]\n', 'f.yaml');
  const entry = { run: 'r1', tool: null, profile: 'py', host: 'b.example', port: 443, result: 'deny' } as const;
  t.equal(recordDenial(store, { ...entry, result: 'allow' }, policy, clock), undefined);
  for (const more of [
    {},
    { host: 'no.example' },
    { port: 22, host: 'a.example' },
    { host: '127.1' },
    { host: 'a.example' },
    { host: 'a.example', port: 80, reason: 'profile' },
  ])
    t.ok(recordDenial(store, { ...entry, ...more }, policy, clock));
  t.same(
    (await read()).map(({ reason, where }) => [reason, where]),
    [
      ['unlisted', null],
      ['rule', 'f.yaml:3:10'],
      ['port', 'f.yaml:2:11'],
      ['address', null],
      ['proxy', null],
      ['profile', null],
    ],
  );
});

test('a request has the id that the guest has read, and one that stands for nothing else', async (t) => {
  const { store, read } = makeStore(t);
  const id = store.nameOf(denial);
  t.equal(store.nameOf({ ...denial, host: 'A.example.' }), id, 'the same each time');
  t.not(store.nameOf({ ...denial, port: 80 }), id);
  t.not(store.nameOf({ ...denial, run: 'r2' }), id);
  t.equal(store.deny({ ...denial, id })?.id, id);
  t.equal(store.deny(denial)?.id, id);
  const other = store.deny({ ...denial, host: 'b.example', id });
  t.not(other?.id, id, 'where the proxy read another host');
  t.equal(
    store.deny({ ...denial, host: 'c.example', id: 'q1' })?.id,
    'q1',
    'what it logged is what the guest has read',
  );
  t.same(
    (await read()).map(({ host }) => host),
    ['a.example', 'b.example', 'c.example'],
  );
});
