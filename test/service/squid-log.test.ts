// Owns the proof that lines of Squid's log are read as what they are: text that a guest had a hand in.
import { test } from 'tap';
import { mostLine, readAccessLine } from '../../lib/service/squid/accessLog.ts';

const principal = encodeURIComponent('tool=web@v1;profile=p1');
const raw = {
  ...{ time: 1_795_243_592_415, run: 'run-1', principal, source: 'fd65::1', connection: 7, request: 'q1' },
  ...{ method: 'CONNECT', host: 'a.example', port: '443', reason: 'listed', status: 200, squid: 'TCP_TUNNEL' },
  ...{ error: '-/-', server: '45.45.45.10', sent: 10, received: 20, ms: 3 },
};
const read = (more: object) => readAccessLine(JSON.stringify({ ...raw, ...more }));

test('a line becomes an entry', (t) => {
  t.strictSame(read({}), {
    ...{ time: 1_795_243_592_415, run: 'run-1', tool: 'web@v1', profile: 'p1', connection: 7, method: 'CONNECT' },
    request: 'q1',
    ...{ host: 'a.example', port: 443, result: 'allow', reason: 'listed', status: 200, squid: 'TCP_TUNNEL' },
    ...{ error: null, server: '45.45.45.10', sni: null, bytesOut: 10, bytesIn: 20, ms: 3 },
  });
  t.end();
});

test('whatever does not say that it is listed is denied', (t) => {
  for (const reason of ['-', '', 'unlisted', 'listed,sni', 'sni,listed', 'listed, address', 'LISTED', ' listed'])
    t.equal(read({ reason })?.result, 'deny', JSON.stringify(reason));
  t.equal(read({ reason: '-' })?.reason, 'malformed');
  t.equal(read({ reason: 'listed,sni' })?.reason, 'sni');
  t.match(read({ squid: 'NONE_NONE', error: 'ERR_PROTOCOL_UNKNOWN/x' }), { result: 'deny', reason: 'protocol' });
  t.end();
});

test('the line about a tunnel that is only opened is none of its own', (t) => {
  t.equal(read({ squid: 'NONE_NONE' }), null);
  t.match(read({ squid: 'NONE_NONE', reason: 'sni' }), { result: 'deny' });
  t.match(read({ squid: 'NONE_NONE', method: 'GET' }), { result: 'allow' });
  t.end();
});

test('hostile text is bounded, and stays text', (t) => {
  t.equal(read({ host: `${'%1b'}[2J%0aa` })?.host, `${String.fromCharCode(27)}[2J\na`);
  t.equal(read({ host: '%ff%fe' })?.host, '%ff%fe', 'no UTF-8');
  t.equal(read({ host: 'a'.repeat(60_000) })?.host.length, 1000);
  t.equal(read({ host: '-' })?.host, '');
  for (const port of ['-', '', '65536', '-1', '1e3', '443 ']) t.equal(read({ port })?.port, 0, JSON.stringify(port));
  t.match(read({ principal: 'tool=;profile=p' }), { tool: null, profile: 'p' });
  t.match(read({ principal: 'x' }), { tool: null, profile: null });
  t.match(read({ principal: '__proto__=a;constructor=b' }), { tool: null, profile: null });
  t.end();
});

test('refuses what is no line of ours', (t) => {
  const lines = ['', '{}', '[]', 'null', '{"time":', String.fromCharCode(0), JSON.stringify({ ...raw, time: 'x' })];
  for (const line of lines) t.equal(readAccessLine(line), undefined, JSON.stringify(line));
  t.equal(readAccessLine(JSON.stringify({ ...raw, host: 'a'.repeat(mostLine) })), undefined, 'too long');
  t.end();
});
