// Owns the proof that a host has one form, an address none, and that a pattern stands for what it says and no more.
import { test } from 'tap';
import { readHost, showHost } from '../../lib/policy/hostname.ts';
import { warnLookalike } from '../../lib/policy/lookalike.ts';
import { coversHost, coversPort, type Pattern, readPattern } from '../../lib/policy/pattern.ts';
import { addressSpellings, malformedNames } from './spellings.ts';

function pattern(text: string): Pattern {
  const reading = readPattern(text);
  if (reading.fault !== undefined) throw new Error(reading.fault);
  return reading.pattern;
}

test('a pattern is read into its one form', async (t) => {
  const forms: Readonly<Record<string, readonly [Pattern['kind'], string, number | undefined]>> = {
    'example.org': ['exact', 'example.org', undefined],
    'EXAMPLE.Org.': ['exact', 'example.org', undefined],
    'example.org.:8443': ['exact', 'example.org', 8443],
    '*.Example.org': ['below', 'example.org', undefined],
    '*.example.org:1': ['below', 'example.org', 1],
    '.example.org:65535': ['within', 'example.org', 65_535],
    'a_b.example.org': ['exact', 'a_b.example.org', undefined],
    'bücher.example': ['exact', 'xn--bcher-kva.example', undefined],
    'BÜCHER.example': ['exact', 'xn--bcher-kva.example', undefined],
    'bu\u0308cher.example': ['exact', 'xn--bcher-kva.example', undefined],
    'XN--BCHER-KVA.example': ['exact', 'xn--bcher-kva.example', undefined],
    '1and1.example': ['exact', '1and1.example', undefined],
    '127.0.0.1.example': ['exact', '127.0.0.1.example', undefined],
    [`${'a'.repeat(63)}.example`]: ['exact', `${'a'.repeat(63)}.example`, undefined],
  };
  for (const [text, [kind, host, port]] of Object.entries(forms)) {
    const read = pattern(text);
    t.match(read, { kind, host, port }, text);
    t.same(pattern(read.text), read, `what is written back reads the same: ${read.text}`);
  }
});

test('refuses an address in every spelling, alone, with a port, below a wildcard', async (t) => {
  for (const text of addressSpellings) {
    t.equal(readHost(text).fault?.kind, 'address', `refuses ${text}`);
    for (const written of [text, `${text}:443`, `*.${text}`, `.${text}`])
      t.type(readPattern(written).fault, 'string', `refuses ${written}`);
  }
  t.match(readPattern('0x7f.1').fault, /^"0x7f\.1" is an IP address; .* name the host$/);
  t.notOk(readPattern('a127.0.0.1a').fault, 'the control: numbers inside names are fine');
});

test('refuses what is no host name', async (t) => {
  for (const text of malformedNames) {
    t.equal(readHost(text).fault?.kind, 'malformed', `refuses ${JSON.stringify(text).slice(0, 80)}`);
    t.type(readPattern(text).fault, 'string');
    t.notMatch(readPattern(text).fault, /[\u0000-\u001f\u007f\u200b\u202e]/, 'the message is harmless');
  }
});

test('refuses what stands for every host, and wildcards of public suffixes', async (t) => {
  for (const text of ['*', '.', '*.', '**', '*.*', '...', '*:443'])
    t.type(readPattern(text).fault, 'string', `refuses ${text}`);
  const suffixes = [
    'com',
    'org',
    'co.uk',
    'com.au',
    'or.jp',
    'localhost',
    'internal',
    'kobe.jp',
    'x.ck',
    'xn--55qx5d.cn',
    'github.io',
    's3.amazonaws.com',
    'nip.io',
    'workers.dev',
  ];
  for (const suffix of [...suffixes, 'eu.amazonaws.com', 'CO.UK.', 'рф']) {
    for (const text of [`*.${suffix}`, `.${suffix}`, `*.${suffix}:443`])
      t.match(readPattern(text).fault, /public suffix/, `refuses ${text}`);
  }
  for (const text of ['*.example.co.uk', '.example.org', 'github.io', '*.co.example'])
    t.notOk(readPattern(text).fault, `the control: ${text}`);
});

test('refuses ports that are none, and URLs', async (t) => {
  for (const port of ['', '0', '00', '080', '65536', '99999', '1e3', '0x50', '+80', '-1', ' 80', '８０', '80/', 'http'])
    t.type(readPattern(`example.org:${port}`).fault, 'string', `refuses port "${port}"`);
  for (const text of [
    'http://example.org',
    'https://example.org/',
    'unix:/x',
    'example.org/',
    'example.org?x',
    '//example.org',
  ])
    t.type(readPattern(text).fault, 'string', `refuses ${text}`);
});

test('exact, below and within cover the names they should, and no lookalike of them', async (t) => {
  const table: Readonly<Record<string, readonly [exact: boolean, below: boolean, within: boolean]>> = {
    'example.org': [true, false, true],
    'a.example.org': [false, true, true],
    'a.b.c.example.org': [false, true, true],
    'badexample.org': [false, false, false],
    'a.badexample.org': [false, false, false],
    'example.org.evil.example': [false, false, false],
    'example.orga': [false, false, false],
    org: [false, false, false],
  };
  for (const [host, wanted] of Object.entries(table)) {
    const found = ['example.org', '*.example.org', '.example.org'].map((text) => coversHost(pattern(text), host));
    t.same(found, wanted, host);
  }
});

test('without a port an allowance is for 80 and 443, a denial for every port', async (t) => {
  const [bare, one] = [pattern('example.org'), pattern('example.org:22')];
  t.same(
    [22, 80, 443, 8080].map((port) => coversPort(bare, port, 'allow')),
    [false, true, true, false],
  );
  t.same(
    [22, 80, 443, 8080].map((port) => coversPort(bare, port, 'deny')),
    [true, true, true, true],
  );
  for (const effect of ['allow', 'deny'] as const)
    t.same(
      [22, 80, 443].map((port) => coversPort(one, port, effect)),
      [true, false, false],
      effect,
    );
});

test('names that look like others are warned about, and shown as what they are', async (t) => {
  // Cyrillic a in "paypal", all Cyrillic, Greek omicron.
  for (const text of ['p\u0430ypal.example', '\u0430\u0440\u0440\u04cf\u0435.example', 'g\u03bf\u03bfgle.example']) {
    const { host } = pattern(text);
    t.match(warnLookalike(host)[0], /letters/, text);
    t.match(showHost(`*.${host}:8443`), /^\*\.xn--\S+:8443 \(.*\)$/);
  }
  for (const text of ['example.org', 'bücher.example', 'пример.example', '例え.example', 'xn--fa-hia.example'])
    t.same(warnLookalike(pattern(text).host), [], `the control: ${text}`);
});
