// Tests the way from denied to approved, in a live sandbox: who may say yes, how soon it holds, and that its end cuts what is open.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { install, until } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two, type WayScene } from './scene.ts';

const firewall = join(install, 'bin/firewall');
const curl = (host: string, path = 'hello.txt') => `curl -sSN --max-time 60 https://${host}/${path}`;

interface Asked {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly state: string;
  readonly reason: string;
}

/** `firewall WORDS` as an agent calls it, and as a person at a terminal does. */
function callers({ scene }: WayScene) {
  return {
    agent: (...words: string[]) => scene.spawn(firewall, words).ended,
    person: (...words: string[]) =>
      scene.spawn('/usr/bin/script', ['-q', '-e', '-c', [firewall, ...words].join(' '), '/dev/null']).ended,
    async requests(verb: 'denied' | 'requests'): Promise<Asked[]> {
      const { stdout, stderr } = await scene.spawn(firewall, [verb, '--json']).ended;
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout).requests;
    },
  };
}

function begin(t: Test, way: WayScene, script: string, ...options: string[]) {
  const started = way.start('run', '-p', 'base-tools', ...way.options, ...options, '--', 'sh', '-c', script);
  t.teardown(() => started.child.kill('SIGKILL'));
  return started;
}

test('denied, approved for a time, and denied again, within one sandbox', async (t) => {
  const way = await makeWayScene(t);
  const { agent, person, requests } = callers(way);
  way.writePolicy(policy(`global: {allow: ["${two}"]}\n`));
  const live = begin(
    t,
    way,
    `${curl(one)}; echo refused; until ${curl(one)} 2>/dev/null | grep -q ${word}; do sleep 0.1; done; echo passed
    ${curl(one, 'slow')} >/sandbox/out 2>&1 & until grep -q begun /sandbox/out; do sleep 0.05; done; echo opened; wait; echo cut; ${curl(one)}; echo end`,
  );
  t.ok(await until(() => live.out().includes('refused')), live.err().toString());
  t.ok(await until(() => live.err().includes('response 403')));
  const [asked] = await requests('denied');
  t.match(asked, { host: one, state: 'denied', reason: 'unlisted' });
  const id = asked?.id ?? '';
  t.match(await agent('approve', id), { status: 2, stderr: /refused to let more out/ });
  t.notMatch((await agent('denied')).stdout, /firewall (allow|approve)/, 'what reads a pipe is told no command');
  t.match((await person('denied')).stdout, `to allow it: firewall allow --profile base-tools ${one}:443;`);
  t.notMatch(live.out().toString(), /passed/, 'nothing has let it through yet');
  t.match(await person('approve', id, '--for', '10m'), { status: 0, stdout: /until 20/ });
  t.ok(await until(() => live.out().includes('opened')), 'the next request of the same sandbox');
  t.notMatch(live.out().toString(), /cut/);
  const granted = readFileSync(join(way.config, 'firewall.yaml'), 'utf8');
  const sooner = granted.replace(/until: *"?20[^",}\n]*/, `until: "${new Date(Date.now() + 3000).toISOString()}`);
  t.not(sooner, granted);
  way.writePolicy(sooner);
  t.ok(await until(() => live.out().includes('cut')), 'the end of the grant cuts an open tunnel');
  const { stdout, stderr } = await live.ended;
  t.match(stdout, /end\n$/);
  t.equal(stdout.split(word).length, 1);
  t.equal(stderr.split('response 403').length, 3, 'the first and the last');
  t.match((await agent('log', '--json')).stdout, /"result":"deny"[\s\S]*"result":"allow"[\s\S]*"result":"deny"/);
});

test('what a guest reads of a refusal is the id that a person finds, and nothing else', async (t) => {
  const way = await makeWayScene(t);
  const { requests } = callers(way);
  way.writePolicy(policy(`global: {allow: ["${two}"]}\n`));
  const read = 'curl -si --max-time 30';
  const script = `${read} https://${one}/; echo; ${read} http://${one}/x; ${read} https://${one}/; ${read} https://${two}/hello.txt`;
  const { stdout } = await begin(t, way, script).ended;
  const ids = [...stdout.matchAll(/^X-Cofferdam-Request: (\S+)\r$/gm)].map(([, id]) => id);
  const asked = await requests('denied');
  t.same(
    asked.map(({ id, host, port, count }) => [id, host, port, count]),
    [
      [ids[0], one, 443, 2],
      [ids[1], one, 80, 1],
    ],
  );
  t.equal(ids[2], ids[0], 'the same request has the same id');
  t.equal(ids.length, 3);
  t.match(stdout, `\r\n\r\nrequest ${ids[1]}: refused on its way out\n`);
  t.match(stdout, word, 'control: what is allowed arrives');
  t.notMatch(stdout, /squid|firewall|generated|<html/i);
});

test('onDeny: ask holds a request until a person has answered', async (t) => {
  const way = await makeWayScene(t);
  const { agent, person, requests } = callers(way);
  way.writePolicy(policy(''));
  const profile = way.scene.write('asks.yaml', 'image: {name: base-tools}\nnetwork: {mode: proxy, onDeny: ask}\n');
  const ask = (script: string) => {
    const started = way.start('run', '-p', profile, ...way.options, '--', 'sh', '-c', script);
    t.teardown(() => started.child.kill('SIGKILL'));
    return started;
  };
  const waiting = async () => {
    for (let look = 0; look < 600; look++) {
      const [asked] = await requests('requests');
      if (asked !== undefined) return asked.id;
      await new Promise((done) => setTimeout(done, 200));
    }
    return 'none';
  };
  const refused = ask(`${curl(one)}; ${curl(one)}; echo end`);
  t.match(await agent('reject', await waiting()), { status: 0 }, 'anybody may say no');
  const said = await refused.ended;
  t.match(said, { stdout: 'end\n', stderr: /response 403[\s\S]*response 403/ }, 'and it is not asked again');
  const held = ask(curl(one));
  const id = await waiting();
  t.equal(held.out().toString(), '');
  t.match(await person('approve', id), { status: 0 });
  const ended = await held.ended;
  t.equal(ended.stdout.trim(), word, `the held request itself goes on: ${ended.stderr}`);
  t.same(
    (await requests('denied')).map(({ state }) => state),
    ['rejected', 'approved'],
  );
});

test('onDeny: ask holds each plain request of a client that keeps its connections', async (t) => {
  const way = await makeWayScene(t);
  const { person, requests } = callers(way);
  way.writePolicy(policy(''));
  const profile = way.scene.write('asks.yaml', 'image: {name: base-tools}\nnetwork: {mode: proxy, onDeny: ask}\n');
  // One connection to the proxy, as far as curl is concerned.
  const script = `curl -sS --max-time 60 http://${one}/hello.txt http://${two}/hello.txt`;
  const started = way.start('run', '-p', profile, ...way.options, '--', 'sh', '-c', script);
  t.teardown(() => started.child.kill('SIGKILL'));
  const approved: string[] = [];
  for (const host of [one, two]) {
    const waiting = async () => (await requests('requests')).find((asked) => asked.host === host);
    for (let look = 0; look < 600 && (await waiting()) === undefined; look++)
      await new Promise((done) => setTimeout(done, 200));
    const asked = await waiting();
    t.equal(asked?.port, 80, `${host} is held`);
    t.match(await person('approve', asked?.id ?? 'none'), { status: 0 });
    approved.push(host);
  }
  const { stdout, stderr } = await started.ended;
  t.equal(stdout.split(word).length, 3, `both went on: ${stderr}`);
});
