// Owns the proof that Squid alone refuses each way around the policy.
import tap, { type Test, test } from 'tap';
import { addresses } from '../firewall/world.ts';
import { allowed, attempts, kindlyRead, smuggling, upgrades } from './bypassCases.ts';
import { type Ask, type Asked, bypassPolicy, makeSquidScene, type Reached, type Squid } from './squidScene.ts';

const scene = await makeSquidScene(tap);
const squid = await scene.start(bypassPolicy);

const { public4, public6 } = addresses;
const arrivals = (reached: readonly Reached[]) => reached.map(({ at, port }) => `${at} ${port}`);

/** What the allowed host was asked by Squid itself. */
const requestsOf = (answer: Asked) => answer.reached.flatMap(({ got }) => (got === undefined ? [] : [got]));

function checkOnlyAllowed(t: Test, title: string, answer: Asked): void {
  for (const { at } of answer.reached)
    t.ok([public4, public6].includes(at as typeof public4), `${title} reaches ${at} alone`);
}

test('Squid alone refuses every attempt, and lets the same act pass where it is allowed', async (t) => {
  const answers = await squid.askAll(attempts.map(({ send }) => send));
  t.strictSame(arrivals(await squid.reached()), [], 'all of them reach nothing');
  for (const [i, { title, refused }] of attempts.entries()) {
    const { status = -1, entries = [] } = answers[i] ?? {};
    t.ok(refused.includes(status), `refuses ${JSON.stringify(title)} with ${status}`);
    for (const entry of entries) t.equal(entry.result, 'deny', `${JSON.stringify(title)} is logged as denied`);
  }
  const controls = new Set(attempts.map(({ control }) => JSON.stringify(control)));
  for (const control of controls) {
    const passed = await squid.ask(JSON.parse(control) as Ask);
    t.equal(passed.status, 200, `positive control: ${control}`);
    t.match(passed.text, /\r\n\r\nreached [0-9a-f.:]+ 80 by GET/, 'it arrives where it is allowed');
    t.ok(passed.reached.length > 0, 'which is noticed');
    t.strictSame(passed.entries.map(({ result }) => result).slice(0, 1), ['allow'], 'and is logged so');
  }
});

test('what Squid reads kindly ends at the allowed host, which is told its own name', async (t) => {
  for (const [title, send] of Object.entries(kindlyRead)) {
    const answer = await squid.ask(send);
    checkOnlyAllowed(t, title, answer);
    if (send.inTunnel !== undefined) continue;
    for (const got of requestsOf(answer)) {
      const hosts = [...got.matchAll(/^Host: *(.*)\r$/gim)].map(([, host]) => host);
      t.strictSame(hosts, [allowed], `${title}: one Host header, its own`);
    }
  }
});

test('refuses to carry a second request within a message', async (t) => {
  for (const [title, send] of Object.entries(smuggling)) {
    const answer = await squid.ask(send);
    checkOnlyAllowed(t, title, answer);
    const requests = requestsOf(answer);
    t.ok(requests.length <= 1, `${title}: at most one request arrives`);
    for (const got of requests)
      t.notMatch(got, /^(?:GET|CONNECT) \S*(?:smuggled|inside)/, `${title}: not the second one`);
  }
  const both = await squid.ask({
    send: `GET http://${allowed}/first HTTP/1.1\r\nHost: ${allowed}\r\n\r\nGET http://${allowed}/second HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`,
  });
  t.strictSame(
    requestsOf(both).map((got) => got.split(' ')[1]),
    ['/first'],
    'not even one that is allowed: the connection ends with the first (positive control)',
  );
  t.match(both.text, /\r\nConnection: close\r\n/);
  t.equal(both.entries.filter(({ status }) => status !== 0).length, 1, 'what is left over is no request to it');
});

test('refuses to turn a connection into another protocol', async (t) => {
  for (const [title, send] of Object.entries(upgrades)) {
    const answer = await squid.ask(send);
    t.equal(answer.status, 200, `${title}: the request itself arrives`);
    for (const got of requestsOf(answer)) t.notMatch(got, /^(?:Upgrade|HTTP2-Settings|Connection: *upgrade)/im, title);
    t.equal(requestsOf(answer).length, 1);
  }
});

test('a name that changes its address between look-ups is never followed to a private one', async (t) => {
  const ask = () =>
    squid.ask({ send: `GET http://rebind.turn.example/ HTTP/1.1\r\nHost: rebind.turn.example\r\n\r\n` });
  t.match((await ask()).text, `reached ${public4} 80`, 'positive control: the first answer is public');
  for (let i = 0; i < 20; i++) checkOnlyAllowed(t, `request ${i + 2}`, await ask());
});

const refusesAll = async (t: Test, squid: Squid) => {
  const answer = await squid.ask({ send: `GET http://${allowed}/ HTTP/1.1\r\nHost: ${allowed}\r\n\r\n` });
  t.equal(answer.status, 403);
  t.strictSame(arrivals(answer.reached), []);
};

test('refuses everything where the allow list is empty', async (t) => {
  for (const policy of [
    '# nothing\n',
    'global: {allow: []}',
    'tools: {web@v1: {allow: []}}',
    'tools: {web@v1: {deny: [a.example]}}',
  ])
    await refusesAll(t, await scene.start(policy));
  const open = await scene.start(`global: {allow: [${allowed}]}`);
  const answer = await open.ask({ send: `GET http://${allowed}/ HTTP/1.1\r\nHost: ${allowed}\r\n\r\n` });
  t.equal(answer.status, 200, 'positive control');
});
