// Owns what `firewall denied | requests | approve | reject` print and refuse: who sees the command, who may say yes.
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { type Denial, openRequestStore } from '../../lib/service/requests/store.ts';
import { makeWorld, person, self, type Who } from './firewallWorld.ts';
import { hostileNames } from './hostileNames.ts';

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

const nobody: readonly Who[] = [{}, { terminals: [true, true, false] }, { terminals: [true, false, true] }];

test('a person at a terminal sees the command that allows it; pipes and JSON carry the id alone', async (t) => {
  const { egress, run } = makeWorld(t);
  const store = openRequestStore({ folder: egress, now: Date.now });
  const id = store.deny(denial)?.id;
  store.deny(denial);
  t.match(
    (await run(person, 'denied')).out,
    new RegExp(
      `^${id}  20.*Z  a\\.example:443  by web@v1, py  in r1  2 times  denied\n  no rule allows it\n  to allow it: firewall allow --tool web@v1 a\\.example:443; for a time: firewall approve ${id} --for 15m\n$`,
    ),
  );
  for (const who of nobody) {
    const { out } = await run(who, 'denied');
    t.match(out, new RegExp(`^${id} `));
    t.notMatch(out, /firewall (allow|approve)/);
  }
  const { out } = await run(person, 'denied', '--json');
  t.notMatch(out, /firewall (allow|approve)/);
  t.match(JSON.parse(out), { requests: [{ id, host: 'a.example', port: 443, count: 2, state: 'denied' }], unkept: 0 });
});

test('only what was asked for is shown: a run, a time, what waits', async (t) => {
  const { egress, run } = makeWorld(t);
  const store = openRequestStore({ folder: egress, now: Date.now });
  t.match(await run({}, 'denied'), { out: '', err: 'firewall: nothing was denied\n', status: 0 });
  store.deny(denial);
  store.hold(store.deny({ ...denial, run: 'r2', host: 'held.example' })?.id ?? '', Date.now() + 600_000);
  const old = openRequestStore({ folder: egress, now: () => 1000 });
  old.hold(old.deny({ ...denial, run: 'r3', host: 'old.example' })?.id ?? '', 61_000);
  const hosts = async (...words: string[]) =>
    JSON.parse((await run({}, ...words, '--json')).out).requests.map(({ host }: { host: string }) => host);
  t.same(await hosts('denied'), ['a.example', 'held.example', 'old.example']);
  t.same(await hosts('denied', '--run', 'r2'), ['held.example']);
  t.same(await hosts('denied', '--since', '1h'), ['a.example', 'held.example']);
  t.same(await hosts('requests'), ['held.example']);
  t.match((await run(person, 'requests')).out, /waits for an answer until 20/);
});

test('a person approves: the narrowest rule, for good or for a time', async (t) => {
  const { egress, run, read } = makeWorld(t);
  const store = openRequestStore({ folder: egress, now: Date.now });
  const ids = [denial, { ...denial, tool: undefined, host: 'b.example', port: 8443 }, { ...denial, host: 'c.example' }];
  const [a = '', b = '', c = ''] = ids.map((one) => store.deny(one)?.id ?? '');
  t.match((await run(person, 'approve', a)).out, /^\+ allow a\.example:443 for tool web@v1\nwritten to /);
  t.match((await run(person, 'approve', b.slice(0, 8))).out, /^\+ allow b\.example:8443 for profile py\n/);
  t.match((await run(person, 'approve', c, '--for', '15m')).out, /^\+ allow c\.example:443 for tool web@v1 until 20/);
  t.match(read(), /grants:/);
  t.match(JSON.parse((await run({}, 'denied', '--json')).out).requests, [
    { state: 'approved', until: null },
    { state: 'approved', until: null },
    { state: 'approved', until: /^20/ },
  ]);
  await t.rejects(run(person, 'approve', a), { code: 'APPROVAL_USELESS', message: /allows it by now/ });
});

test('refuses an approval unless a person is there, and then changes nothing', async (t) => {
  const { egress, file, run } = makeWorld(t);
  const id = openRequestStore({ folder: egress, now: Date.now }).deny(denial)?.id ?? '';
  for (const who of [{}, { terminals: [true, true, false] }, { terminals: [false, true, true] }] as const)
    await t.rejects(run(who, 'approve', id), { code: 'WIDENING_REFUSED', exit: 2 });
  await t.rejects(run({ uid: 4321 }, 'approve', id, '--yes'), { code: 'WIDENING_REFUSED' });
  t.notOk(existsSync(file));
  t.match(JSON.parse((await run({}, 'denied', '--json')).out).requests, [{ state: 'denied' }]);
  await run({}, 'reject', id);
  t.match(JSON.parse((await run({}, 'denied', '--json')).out).requests, [{ state: 'rejected' }], 'anybody may say no');
  await run(person, 'approve', id);
  t.ok(existsSync(file), 'the control');
});

test('refuses an approval that would not help, or of a name that looks like another', async (t) => {
  const { egress, file, run } = makeWorld(t);
  writeFileSync(file, 'global: {deny: [.no.example]}\n', { mode: 0o600 });
  const store = openRequestStore({ folder: egress, now: Date.now });
  const cases: readonly (readonly [string, Partial<Denial>])[] = [
    ['APPROVAL_USELESS', { host: 'x.no.example', reason: 'rule' }],
    ['APPROVAL_USELESS', { host: '127.0.0.1', reason: 'address' }],
    ['APPROVAL_USELESS', { host: '"; rm -rf /', reason: 'malformed' }],
    ['APPROVAL_USELESS', { port: 0, reason: 'malformed' }],
    ['APPROVAL_USELESS', { tool: '$(id)' }],
    ['APPROVAL_USELESS', { tool: undefined, profile: '--yes' }],
    ['WIDENING_REFUSED', { host: 'xn--pypal-4ve.example' }],
  ];
  for (const [code, one] of cases) {
    const id = store.deny({ ...denial, ...one })?.id ?? '';
    await t.rejects(run(person, 'approve', id), { code }, JSON.stringify(one));
    if (code === 'APPROVAL_USELESS')
      t.notMatch((await run(person, 'denied', '--json')).out, /firewall allow/, 'no command is offered');
  }
  await t.rejects(run(person, 'approve', 'q0000'), { code: 'REQUEST_UNKNOWN' });
  await t.rejects(run(person, 'reject', 'q0000'), { code: 'REQUEST_UNKNOWN' });
  await t.rejects(run(person, 'approve', '../../x'), { code: 'ID_INVALID' });
});

test('refuses an approval where the policy is that of root', async (t) => {
  const { egress, hostConfig, run } = makeWorld(t);
  mkdirSync(dirname(hostConfig), { mode: 0o755 });
  writeFileSync(hostConfig, 'allowUserPolicy: false\n', { mode: 0o644 });
  const id = openRequestStore({ folder: egress, now: Date.now }).deny(denial)?.id ?? '';
  const code = self === 0 ? 'HOST_FORBIDS' : 'CONFIG_UNREADABLE';
  await t.rejects(run({ ...person, uid: 4321 }, 'approve', id), { code });
});

test('no request, however hostile, and no line of its record reaches a terminal raw', async (t) => {
  const { egress, run } = makeWorld(t);
  const store = openRequestStore({ folder: egress, now: Date.now });
  for (const host of hostileNames) store.deny({ ...denial, host, tool: host.slice(0, 100), text: host });
  appendFileSync(join(egress, 'requests.log'), `${hostileNames.join('\n')}\n`);
  for (const who of [person, {}])
    for (const words of [['denied'], ['denied', '--json'], ['requests']]) {
      const { out, err } = await run(who, ...words);
      t.notMatch(`${out}${err}`, /[\u0000-\u0009\u000b-\u001f\u007f\u200b\u202e\u2066]/, words.join(' '));
    }
});

test('following shows what is there and what comes', async (t) => {
  const { egress, run } = makeWorld(t);
  const store = openRequestStore({ folder: egress, now: Date.now });
  store.deny(denial);
  const controller = new AbortController();
  const lines: string[] = [];
  const ended = run({ signal: controller.signal, onOut: (text) => lines.push(text) }, 'denied', '--follow', '--json');
  const until = async (count: number) => {
    for (let i = 0; i < 3000 && lines.length < count; i++) await new Promise((done) => setTimeout(done, 20));
  };
  await until(1);
  store.deny({ ...denial, host: 'b.example' });
  await until(2);
  controller.abort();
  await ended;
  t.same(
    lines.map((line) => JSON.parse(line).host),
    ['a.example', 'b.example'],
  );
});
