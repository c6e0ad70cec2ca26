// Owns the ways around the proxy that a guest could try, as data: what is sent, and the same act as it is allowed.
import { addresses, type Probe, uids } from '../firewall/world.ts';
import type { Ask } from './squidScene.ts';

export interface Attempt {
  readonly title: string;
  readonly send: Ask;
  /** Statuses that refuse; 0: closed without an answer. */
  readonly refused: readonly number[];
  /** The same act where it is allowed: it reaches the allowed host. */
  readonly control: Ask;
  /** What it would reach; the second wall refuses that too, to whoever sends it. */
  readonly places?: readonly Probe[];
}

export const allowed = 'allowed.example.org';
const unlisted = 'unlisted.example.net';
const { public4, dns4, dns6, private4, private6, metadata } = addresses;

/** `CONNECT` of a target; `more` are further header lines. */
export function connect(target: string, { host = target, more = '' } = {}): string {
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
}

/** A request for `url`. */
export function get(url: string, { host = allowed, more = '', method = 'GET' } = {}): string {
  return `${method} ${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
}

const inner = get('/inside', { host: allowed });
const openTunnel: Ask = { send: connect(`${allowed}:80`), inTunnel: inner };
const openGet: Ask = { send: get(`http://${allowed}/`) };
const proxy = uids.proxy;
const tcp = (uid: number, address: string, port: number): Probe => ({ uid, proto: 'tcp', address, port });

function literal(written: string, place: Probe | undefined): Attempt[] {
  const [bare, more] = [written, place === undefined ? {} : { places: [place] }];
  return [
    {
      title: `CONNECT ${bare}`,
      send: { send: connect(`${bare}:80`), inTunnel: inner },
      refused: [400, 403],
      control: openTunnel,
      ...more,
    },
    {
      title: `GET http://${bare}/`,
      send: { send: get(`http://${bare}/`, { host: bare }) },
      refused: [400, 403],
      control: openGet,
    },
  ];
}

const toMetadata = tcp(proxy, metadata[0], 80);
const literals: readonly Attempt[] = [
  ...literal('45.45.45.53', tcp(uids.sandbox, dns4, 80)),
  ...literal('169.254.169.254', toMetadata),
  ...literal('10.9.9.10', tcp(proxy, private4, 80)),
  ...literal('127.0.0.1', tcp(proxy, '127.0.0.1', 9000)),
  ...literal('2852039166', toMetadata),
  ...literal('0251.0376.0251.0376', toMetadata),
  ...literal('0xa9fea9fe', toMetadata),
  ...literal('0xa9.0xfe.0xa9.0xfe', toMetadata),
  ...literal('169.254.43518', toMetadata),
  ...literal('169.254.169.254.', toMetadata),
  ...literal('0', tcp(proxy, '127.0.0.1', 9000)),
  ...literal('127.1', tcp(proxy, '127.0.0.1', 9000)),
  ...literal('[::1]', tcp(proxy, '::1', 9000)),
  ...literal('[fd00:9::10]', tcp(proxy, private6, 80)),
  ...literal('[2a00:45::53]', tcp(uids.sandbox, dns6, 80)),
  ...literal('[::ffff:10.9.9.10]', tcp(proxy, `::ffff:${private4}`, 80)),
  ...literal('[::ffff:a09:90a]', tcp(proxy, `::ffff:${private4}`, 80)),
  ...literal('[::10.9.9.10]', undefined),
  ...literal('[64:ff9b::a09:90a]', undefined),
  ...literal('[fe80::10%out0]', undefined),
  ...literal('[fe80::10%25out0]', undefined),
  ...literal('[fd00:9::10', undefined),
  ...literal('fd00:9::10', undefined),
  ...literal('%31%30.9.9.10', undefined),
  ...literal(
    '\uff11\uff10.9.9.10'.replace(/[^\u0000-\u007f]/g, (c) => Buffer.from(c).toString('latin1')),
    undefined,
  ),
];

/** Names that DNS sends somewhere else: each is allowed as a name. */
function leads(name: string, place: Probe | undefined): Attempt {
  return {
    title: `an allowed name that leads elsewhere: ${name}`,
    send: { send: connect(`${name}:80`), inTunnel: inner },
    refused: [403],
    control: openTunnel,
    ...(place === undefined ? {} : { places: [place] }),
  };
}

const elsewhere: readonly Attempt[] = [
  leads('private.example.org', tcp(proxy, private4, 80)),
  leads('private6.example.org', tcp(proxy, private6, 80)),
  leads('metadata.example.org', toMetadata),
  leads('loopback.example.org', tcp(proxy, '127.0.0.1', 9000)),
  leads('loopback6.example.org', tcp(proxy, '::1', 9000)),
  leads('this.example.org', undefined),
  leads('mapped.example.org', tcp(proxy, `::ffff:${private4}`, 80)),
  leads('nat64.example.org', undefined),
  leads('linklocal.example.org', undefined),
  leads('mixed.example.org', tcp(proxy, private4, 80)),
  leads('mixed6.example.org', tcp(proxy, private6, 80)),
  leads('mixedexcepted.example.org', tcp(proxy, private4, 80)),
  leads('fails.turn.example', tcp(proxy, private4, 80)),
  leads('empty.turn.example', tcp(proxy, private4, 80)),
];

function refuseConnect(title: string, target: string, refused: readonly number[] = [403]): Attempt {
  return { title, send: { send: connect(target), inTunnel: inner }, refused, control: openTunnel };
}

function refuseGet(title: string, send: string, refused: readonly number[] = [403]): Attempt {
  return { title, send: { send }, refused, control: openGet };
}

const spellings: readonly Attempt[] = [
  refuseConnect('an unlisted name', `${unlisted}:80`),
  { ...refuseConnect('another port', `${allowed}:22`), places: [tcp(proxy, public4, 22)] },
  { ...refuseConnect('another port in front of TLS', `${allowed}:8443`), places: [tcp(proxy, public4, 8443)] },
  refuseConnect('port 0', `${allowed}:0`, [400, 403]),
  refuseConnect('a port beyond 65535', `${allowed}:65616`, [400, 403]),
  refuseConnect('a negative port', `${allowed}:-80`, [400, 403]),
  refuseConnect('an unlisted name with a trailing dot', `${unlisted}.:80`, [400, 403]),
  refuseConnect('two trailing dots', `${allowed}..:22`, [400, 403]),
  refuseConnect('an unlisted name in capitals', `${unlisted.toUpperCase()}:80`),
  refuseConnect('a denied name in capitals', 'DENIED.EXAMPLE.ORG:80'),
  refuseConnect('a denied name with a trailing dot', 'denied.example.org.:80'),
  refuseConnect('the base of a wildcard', 'turn.example:80'),
  refuseConnect('a name that ends alike', `not${allowed.replace('allowed.', '')}:80`),
  refuseConnect('a name that begins alike', `${allowed}.example.net:80`),
  refuseConnect('a punycode lookalike', 'xn--llowed-cua.example.com:80'),
  refuseConnect('a Cyrillic lookalike in UTF-8', 'ex\xd0\xb0mple.org:80', [400, 403]),
  refuseConnect('a soft hyphen', 'ex\xc2\xadample.org.example.net:80', [400, 403]),
  refuseConnect('a NUL behind an allowed name', `${allowed}\0.example.net:80`, [0, 400, 403]),
  refuseConnect('a NUL in front of one', `example.net\0.${allowed}:80`, [0, 400, 403]),
  refuseConnect('a tab in the name', `example.net\t${allowed}:80`, [0, 400, 403]),
  refuseConnect('a newline in the name', `example.net\n${allowed}:80`, [0, 400, 403]),
  refuseConnect('a carriage return in the name', `example.net\r${allowed}:80`, [0, 400, 403]),
  refuseConnect('an encoded newline', `example.net%0d%0a${allowed}:80`, [400, 403]),
  refuseConnect('a percent-encoded name', `%75nlisted.example.net:80`, [400, 403]),
  refuseConnect('user information', `${allowed}@${unlisted}:80`, [400, 403]),
  refuseConnect('a path behind the name', `${unlisted}:80/.${allowed}:80`, [400, 403]),
  refuseConnect('a question mark', `${unlisted}?.${allowed}:80`, [400, 403]),
  refuseConnect('a number sign', `${unlisted}#.${allowed}:80`, [400, 403]),
  refuseConnect('a backslash', `${unlisted}\\.${allowed}:80`, [400, 403]),
  refuseConnect('an empty name', ':80', [400, 403]),
  refuseConnect('one label', 'localhost:80'),
  refuseConnect('our own name', 'cofferdam:80'),
  refuseConnect('a very long name', `${'a'.repeat(5000)}.${allowed}:80`, [400, 403, 414, 503]),
  // Bytes that are there before the answer is (RFC 9110, 9.3.6; RFC 8470).
  refuseGet('a tunnel with early data', connect(`${unlisted}:80`) + inner),
  refuseGet(
    'a request that says it is early data',
    get(`http://${unlisted}/`, { host: unlisted, more: 'Early-Data: 1\r\n' }),
  ),
  refuseGet('user information in a URL', get(`http://${allowed}@${unlisted}/`, { host: unlisted }), [400, 403]),
  refuseGet('user information with a colon', get(`http://${allowed}:80@${unlisted}/`, { host: unlisted }), [400, 403]),
  refuseGet(
    'user information with a number sign',
    get(`http://${unlisted}#@${allowed}/`, { host: unlisted }),
    [400, 403, 409],
  ),
  refuseGet('a backslash for a slash', get(`http://${unlisted}\\@${allowed}/`, { host: unlisted }), [400, 403, 409]),
  refuseGet('another port in a URL', get(`http://${allowed}:8080/`, { host: `${allowed}:8080` })),
  refuseGet('a URL with another name than Host', get(`http://${unlisted}/`, { host: allowed }), [403, 409]),
  refuseGet('a path alone', get('/', { host: unlisted }), [400, 403]),
  refuseGet('a path alone with an allowed Host', get('/', { host: allowed }), [400, 403]),
  refuseGet('a URL without a scheme', get(`//${unlisted}/`, { host: unlisted }), [400, 403]),
  ...['ftp', 'https', 'urn', 'gopher', 'whois', 'wais', 'file', 'cache_object', 'coap', 'icy'].map((scheme) =>
    refuseGet(`the scheme ${scheme}`, get(`${scheme}://${allowed}/`), [400, 403, 501, 503]),
  ),
];

const verbs: readonly Attempt[] = [
  ...['TRACE', 'PURGE', 'PROPFIND', 'MKCOL', 'LOCK', 'CONNECTX', 'connect', 'get', 'PRI', 'SEARCH', 'DEBUG'].map(
    (method) =>
      refuseGet(
        `the method ${method}`,
        get(`http://${allowed}/`, { method, more: 'Max-Forwards: 0\r\n' }),
        [0, 400, 403, 405, 501],
      ),
  ),
  refuseGet('the cache manager', get('cache_object://localhost/info', { host: 'localhost' }), [400, 403]),
  refuseGet('the cache manager by its path', get(`http://${allowed}/squid-internal-mgr/info`)),
  refuseGet('the cache manager by our name', get('http://cofferdam/squid-internal-mgr/info', { host: 'cofferdam' })),
  refuseGet(
    'the cache manager by address and port',
    get('http://127.0.0.1/squid-internal-mgr/info', { host: '127.0.0.1' }),
  ),
  refuseGet('the cache manager by a path alone', get('/squid-internal-mgr/info', { host: 'cofferdam' }), [400, 403]),
  refuseGet(
    'pages of Squid by a path alone',
    get('/squid-internal-static/icons/SN.png', { host: 'cofferdam' }),
    [400, 403, 404],
  ),
];

const secondHeaders: readonly Attempt[] = [
  {
    title: 'a second PROXY header, text',
    send: {
      send: `PROXY TCP6 fd65:6772:6573:2:0:0:0:1 ::1 1 2\r\n${get(`http://other.example.org/`, { host: 'other.example.org' })}`,
    },
    refused: [0, 400],
    control: { send: get('http://other.example.org/', { host: 'other.example.org' }), as: { tool: 'other@v1' } },
  },
  {
    title: 'no PROXY header',
    send: { send: get(`http://${allowed}/`), header: '' },
    refused: [0, 400],
    control: openGet,
  },
  {
    title: 'a PROXY header of no family: it names nobody',
    send: { send: get(`http://${allowed}/`), header: '\r\n\r\n\0\r\nQUIT\n\x21\0\0\0' },
    refused: [0, 400, 403],
    control: openGet,
  },
  {
    title: 'a PROXY header of the LOCAL command',
    send: { send: get(`http://${allowed}/`), header: '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0' },
    refused: [0, 400, 403],
    control: openGet,
  },
  {
    title: 'a PROXY header of version 1 with an address of nobody',
    send: { send: get(`http://${allowed}/`), header: 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n' },
    refused: [0, 400, 403],
    control: openGet,
  },
  {
    title: 'another principal’s host',
    send: { send: get('http://other.example.org/', { host: 'other.example.org' }) },
    refused: [403],
    control: { send: get('http://other.example.org/', { host: 'other.example.org' }), as: { tool: 'other@v1' } },
  },
];

/** All but those about messages within messages, which have tests of their own. */
export const attempts: readonly Attempt[] = [...literals, ...elsewhere, ...spellings, ...verbs, ...secondHeaders];

/** What Squid reads more kindly than a person would: all of it must end at the allowed host, which is told its own name. */
export const kindlyRead: Readonly<Record<string, Ask>> = {
  'a port with letters': { send: connect(`${allowed}:80a`), inTunnel: inner },
  'two ports': { send: connect(`${allowed}:80:22`), inTunnel: inner },
  'no port': { send: connect(allowed), inTunnel: inner },
  'user information with a port': { send: connect(`${allowed}:80@${unlisted}:80`), inTunnel: inner },
  'a CONNECT whose Host is another': { send: connect(`${allowed}:80`, { host: `${unlisted}:80` }), inTunnel: inner },
  'a Host header with another name': { send: get(`http://${allowed}/`, { host: unlisted }) },
  'two Host headers': { send: get(`http://${allowed}/`, { more: `Host: ${unlisted}\r\n` }) },
  'two Host headers, the allowed one last': {
    send: get(`http://${allowed}/`, { host: unlisted, more: `Host: ${allowed}\r\n` }),
  },
  'a Host header that a Connection header takes away': {
    send: get(`http://${allowed}/`, { host: unlisted, more: 'Connection: Host\r\n' }),
  },
  'a Host header in a folded line': { send: get(`http://${allowed}/`, { host: `\r\n ${unlisted}` }) },
  'a trailing dot': { send: connect(`${allowed}.:80`), inTunnel: inner },
  capitals: { send: connect(`${allowed.toUpperCase()}:80`), inTunnel: inner },
  'a redirect to a private address': { send: get(`http://${allowed}/redirect/10.9.9.10`) },
};

const smuggled = get(`http://${unlisted}/smuggled`, { host: unlisted });
const post = (headers: string, body: string): Ask => ({
  send: `POST http://${allowed}/ HTTP/1.1\r\nHost: ${allowed}\r\n${headers}\r\n${body}`,
});
const chunked = `0\r\n\r\n${smuggled}`;

/** A message that may be read as two: whatever Squid makes of it, nothing but the allowed host is reached, and no second request. */
export const smuggling: Readonly<Record<string, Ask>> = {
  'Content-Length and Transfer-Encoding': post(
    `Content-Length: ${chunked.length}\r\nTransfer-Encoding: chunked\r\n`,
    chunked,
  ),
  'Transfer-Encoding and Content-Length': post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', chunked),
  'two lengths': post(`Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n`, smuggled),
  'two lengths in one line': post(`Content-Length: 0, ${smuggled.length}\r\n`, smuggled),
  'a length with a sign': post(`Content-Length: +${smuggled.length}\r\n`, smuggled),
  'a negative length': post('Content-Length: -1\r\n', smuggled),
  'a blank before the colon': post(`Content-Length : ${smuggled.length}\r\n`, smuggled),
  'an unknown coding': post('Transfer-Encoding: xchunked\r\n', chunked),
  'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', chunked),
  'chunked behind a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', chunked),
  'a chunk size with a sign': post('Transfer-Encoding: chunked\r\n', `-1\r\n${smuggled}`),
  'a chunk size beyond 64 bits': post('Transfer-Encoding: chunked\r\n', `10000000000000000\r\n${smuggled}`),
  'a chunk extension with a newline': post('Transfer-Encoding: chunked\r\n', `1;a\nb\r\nx\r\n${chunked}`),
  'line ends without carriage returns': {
    send: `GET http://${allowed}/ HTTP/1.1\nHost: ${allowed}\n\n${smuggled}`,
  },
  'a NUL in a header': { send: get(`http://${allowed}/`, { more: `X: a\0\r\n` }) + smuggled },
  'a carriage return alone in a header': { send: get(`http://${allowed}/`, { more: `X: a\rHost: ${unlisted}\r\n` }) },
  'a request behind a request': { send: get(`http://${allowed}/`) + smuggled },
  'a tunnel behind a request': { send: get(`http://${allowed}/`) + connect(`${unlisted}:80`) + inner },
  'an old version with a request behind it': {
    send: `GET http://${allowed}/ HTTP/1.0\r\nHost: ${allowed}\r\n\r\n${smuggled}`,
  },
  'HTTP 0.9 with a request behind it': { send: `GET http://${allowed}/\r\n\r\n${smuggled}` },
  'data in front of the answer to a refused tunnel': { send: connect(`${unlisted}:80`) + inner },
  'the preface of HTTP/2': { send: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
};

/** Protocols that a connection could turn into: the allowed host is asked for none of them. */
export const upgrades: Readonly<Record<string, Ask>> = {
  websocket: {
    send: get(`http://${allowed}/`, {
      more: 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
    }),
  },
  h2c: {
    send: get(`http://${allowed}/`, {
      more: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    }),
  },
  TLS: { send: get(`http://${allowed}/`, { more: 'Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n' }) },
};
