// Owns the proof that Squid comes up only as it was meant, is replaced without a lost request, and leaves nothing behind.
import { readdirSync, readFileSync } from 'node:fs';
import tap, { type Test, test } from 'tap';
import { uids } from '../firewall/world.ts';
import { allowed, connect, get } from './bypassCases.ts';
import { bypassPolicy, makeSquidScene } from './squidScene.ts';

const scene = await makeSquidScene(tap);

/** One that ends with its test. */
async function start(t: Test, options: Parameters<typeof scene.start>[1] = {}) {
  const squid = await scene.start(bypassPolicy, options);
  t.teardown(() => squid.stop());
  return squid;
}

const openGet = { send: get(`http://${allowed}/`) };
const statusOf = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8');

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(statusOf(pid));
  } catch {
    return false;
  }
}

const segmentsOf = (owner: number) =>
  readdirSync('/dev/shm').filter((name) => name.startsWith('cofferdam') && name.includes(`m${owner}s`));
const parentOf = (pid: number) => Number(/^PPid:\s+([0-9]+)/m.exec(statusOf(pid))?.[1]);
const foldersIn = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('squid-'));

test('it runs under its own uid, without capabilities, and leaves nothing', async (t) => {
  const squid = await start(t);
  const about = statusOf(squid.pid);
  t.match(about, new RegExp(`^Uid:(\\s+${uids.proxy}){4}$`, 'm'));
  t.match(about, new RegExp(`^Gid:(\\s+${uids.proxy}){4}$`, 'm'));
  t.match(about, /^Groups:\s*$/m);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    t.match(about, new RegExp(`^${set}:\\s+0+$`, 'm'));
  t.match(about, /^NoNewPrivs:\s+1$/m);
  t.equal((await squid.ask(openGet)).status, 200, 'positive control');
  const owner = parentOf(squid.pid);
  t.ok(segmentsOf(owner).length > 0, 'positive control: it has shared memory');
  await squid.stop();
  t.equal(isAlive(squid.pid), false);
  t.same(segmentsOf(owner), [], 'no shared memory of it is left');
  t.same(foldersIn(scene.folder), [], 'nor its folder');
});

test('refuses to start on a port that somebody has', async (t) => {
  const first = await start(t);
  await t.rejects(start(t, { port: first.port }), { message: /^PROXY_FAILED/ });
  t.equal((await first.ask(openGet)).status, 200, 'the first one goes on');
  t.equal(foldersIn(scene.folder).length, 1, 'no folder of the second is left');
});

test('a new generation takes over while requests go on, and none is lost', async (t) => {
  const requests = Array.from({ length: 40 }, () => openGet);
  let current = await start(t);
  for (let generation = 0; generation < 2; generation++) {
    const old = current;
    const during = old.askAll(requests);
    current = await start(t);
    const after = current.askAll(requests);
    const answers = [...(await during), ...(await after)];
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200]);
    await old.stop(20_000);
    t.equal(isAlive(old.pid), false);
  }
});

test('a tunnel that does not end is ended when the drain is over', async (t) => {
  const squid = await start(t);
  const asking = squid.ask({ send: connect(`${allowed}:80`), inTunnel: 'never ended' });
  const isOpen = () => scene.world.host(['/usr/bin/sh', '-c', `ss -Htn sport = :${squid.port}`]).trim() !== '';
  for (let i = 0; i < 6000 && !isOpen(); i++) await new Promise((done) => setTimeout(done, 10));
  t.ok(isOpen());
  await squid.stop(200);
  t.equal(isAlive(squid.pid), false);
  const { entries } = await asking;
  t.match(entries, [{ result: 'allow', host: allowed }], 'and is logged');
});

test('its end by somebody else is noticed, and its place is cleaned', async (t) => {
  const squid = await start(t);
  t.equal(foldersIn(scene.folder).length, 1);
  process.kill(squid.pid, 'SIGKILL');
  for (let i = 0; i < 6000 && foldersIn(scene.folder).length > 0; i++)
    await new Promise((done) => setTimeout(done, 10));
  t.same(foldersIn(scene.folder), []);
});

test('with a parent proxy everything goes through it, and nothing around it when it is gone', async (t) => {
  // What listens there says who it is and what it was asked.
  const squid = await start(t, { parent: 'http://45.45.45.53:8080' });
  const answer = await squid.ask(openGet);
  t.match(answer.text, `reached 45.45.45.53 8080 by GET http://${allowed}/ HTTP/1.1`);
  t.same([...new Set(answer.reached.map(({ at, port }) => `${at} ${port}`))], ['45.45.45.53 8080']);
  const unlisted = await squid.ask({ send: get('http://unlisted.example.net/', { host: 'unlisted.example.net' }) });
  t.equal(unlisted.status, 403);
  const hidden = await squid.ask({ send: connect('private.example.org:80') });
  t.equal(hidden.status, 403, 'refuses what our name servers say is private');
  const gone = await start(t, { parent: 'http://45.45.45.53:9' });
  const refused = await gone.ask(openGet);
  t.ok(refused.status >= 500, `refuses with ${refused.status}`);
  t.same(refused.reached, []);
});

test('sni strict: a tunnel begins with TLS for an allowed name, or ends', async (t) => {
  const squid = await start(t, { sni: 'strict' });
  const tunnel = { send: connect(`${allowed}:443`), inTunnel: get('/inside') };
  const tls = (name: string) => ({ ...tunnel, tls: { name, authority: scene.authority } });
  const passed = await squid.ask(tls(allowed));
  t.match(passed.text, 'reached 45.45.45.10 443 by GET /inside', 'positive control');
  t.match(passed.entries, [{ result: 'allow', sni: allowed, host: allowed }]);
  t.equal(passed.entries.length, 1, 'one line for a tunnel');
  for (const name of ['unlisted.example.net', 'denied.example.org', 'other.example.org']) {
    const answer = await squid.ask(tls(name));
    t.same(answer.reached, [], `refuses the server name ${name}`);
    t.match(answer.entries, [{ result: 'deny', reason: 'sni', sni: name }]);
  }
  for (const inTunnel of [get('/inside'), 'SSH-2.0-x\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
    const answer = await squid.ask({ ...tunnel, inTunnel });
    t.same(answer.reached, [], `refuses ${JSON.stringify(inTunnel.slice(0, 12))} in a tunnel`);
  }
  const open = await start(t);
  const unseen = await open.ask(tls('unlisted.example.net'));
  t.match(unseen.text, '/inside', 'positive control: without strict the name is not looked at');
  const unlisted = await squid.ask({ ...tunnel, send: connect('unlisted.example.net:443') });
  t.same(unlisted.reached, []);
  t.match(unlisted.entries, [{ result: 'deny', reason: 'unlisted' }]);
  t.equal((await squid.ask(openGet)).status, 200, 'plain requests are as before');
});
