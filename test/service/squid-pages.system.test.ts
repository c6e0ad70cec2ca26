// Owns the proof that what the proxy itself answers names the request, and tells a guest nothing of rules, of us or of the host.
import tap, { type Test, test } from 'tap';
import { allowed, connect, get } from './bypassCases.ts';
import { type Asked, bypassPolicy, makeSquidScene } from './squidScene.ts';

const scene = await makeSquidScene(tap);
const squid = await scene.start(bypassPolicy.replace(`- ${allowed}\n`, `- ${allowed}\n      - "${allowed}:81"\n`));

const request = 'q0123456789abcdef';
const unlisted = 'unlisted.example.net';
const refused = 'refused on its way out';
const unread = 'not read: no request that is taken here';
const failed = 'failed on its way out';

/** What is sent, with the status and the words of its answer. */
const answers: Readonly<Record<string, readonly [send: string, status: number, words: string]>> = {
  'a tunnel to an unlisted host': [connect(`${unlisted}:443`), 403, refused],
  'an unlisted host': [get(`http://${unlisted}/`, { host: unlisted }), 403, refused],
  'a denied host': [get('http://denied.example.org/'), 403, refused],
  'another port': [connect(`${allowed}:22`), 403, refused],
  'a name that leads to a private address': [get('http://private.example.org/'), 403, refused],
  'a name that leads nowhere': [get('http://nowhere.turn.example/'), 403, refused],
  'an address': [connect('169.254.169.254:80'), 403, refused],
  'another scheme': [get(`ftp://${allowed}/x`), 403, refused],
  'another method': [get(`http://${allowed}/`, { method: 'TRACE', more: 'Max-Forwards: 0\r\n' }), 403, refused],
  'the cache manager': [get('cache_object://localhost/info'), 403, refused],
  'the cache manager by HTTP': [get('http://cofferdam/squid-internal-mgr/menu'), 403, refused],
  'no URL': ['GET /x HTTP/1.1\r\n\r\n', 400, unread],
  'no request': ['what is this\r\n\r\n', 400, unread],
  'another version': [`GET http://${allowed}/ HTTP/2.0\r\n\r\n`, 505, unread],
  'a port that is none': [`GET http://${unlisted}:99999/ HTTP/1.1\r\n\r\n`, 400, unread],
  'too many headers': [get(`http://${allowed}/`, { more: `X: ${'x'.repeat(70_000)}\r\n` }), 431, unread],
  'nobody who listens': [get(`http://${allowed}:81/`), 503, failed],
};

function checkAnswer(t: Test, title: string, answer: Asked, [, status, words]: (typeof answers)[string]): void {
  const [head = '', body] = answer.text.split('\r\n\r\n');
  t.equal(answer.status, status, title);
  t.equal(body, `request ${request}: ${words}\n`, `${title}: all that it says`);
  t.match(head, new RegExp(`\\r\\nX-Cofferdam-Request: ${request}(\\r\\n|$)`), `${title}: as a header`);
  t.match(head, /\r\nContent-Type: text\/plain(\r\n|$)/, `${title}: as text`);
  t.notMatch(
    answer.text,
    /squid|html|cofferdam\b(?!-request)|generated|127\.0\.0\.1|cache|manager|ERR_|rule|allow/i,
    title,
  );
  t.equal(answer.entries[0]?.request, request, `${title}: in the log too`);
}

test('an answer of the proxy itself has the id of the request, and nothing else', async (t) => {
  for (const [title, expected] of Object.entries(answers))
    checkAnswer(t, title, await squid.ask({ send: expected[0], request }), expected);
  const passed = await squid.ask({ send: get(`http://${allowed}/`), request });
  t.match(passed.text, /^HTTP\/1\.1 200 OK[\s\S]*\r\nDate: [\s\S]*\r\n\r\nreached /, 'control: what a server answers');
  t.notMatch(passed.text, new RegExp(request), 'which is not marked as ours');
  // It writes this one past all that a configuration says about headers.
  const tunnel = await squid.ask({ send: connect(`${allowed}:81`), request });
  t.match(tunnel.text, new RegExp(`\\r\\n\\r\\nrequest ${request}: ${failed}\\n$`), 'a tunnel to nobody who listens');
  t.notMatch(tunnel.text, /squid\/|cofferdam|generated|127\.0\.0\.1|manager/i, 'without version, host or address');
  const unnamed = await squid.ask({ send: connect(`${unlisted}:443`) });
  t.match(unnamed.text, /^HTTP\/1\.1 403 [\s\S]*\r\n\r\nrequest -: refused/, 'where nobody has named it');
});

test('one plain request has one connection, whatever the guest asks for', async (t) => {
  const second = get(`http://${allowed}/second`);
  for (const more of ['', 'Connection: keep-alive\r\n', 'Proxy-Connection: keep-alive\r\nKeep-Alive: 300\r\n'])
    for (const version of ['1.1', '1.0']) {
      const first = get(`http://${allowed}/first`, { more }).replace('HTTP/1.1', `HTTP/${version}`);
      const answer = await squid.ask({ send: `${first}${second}` });
      const arrived = answer.reached.flatMap(({ got }) => (got === undefined ? [] : [got.split(' ')[1]]));
      t.strictSame(arrived, ['/first'], `${version} ${JSON.stringify(more)}`);
      t.match(answer.text, /\r\nConnection: close\r\n/i);
    }
  const tunnel = await squid.ask({ send: connect(`${allowed}:80`), inTunnel: get('/a') });
  t.match(tunnel.text, /reached \S+ 80 by GET \/a/, 'control: a tunnel stays');
});
