// Owns the ways to write an address that a name check must not take for a name, and names that are none.

export const addressSpellings: readonly string[] = [
  // Dotted, with fewer parts, decimal, octal, hexadecimal, mixed, with a trailing dot.
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '0x7f000001',
    '0X7F.1',
  ],
  ...['127.0.0.1.', '0.0.0.0', '0', '10.0.0.010', '169.254.169.254', '2852039166', '0xa9fea9fe', '255.255.255.255'],
  ...['1.2.3.4.5', '256.256.256.256', '999999999999', 'example.123', 'example.0x', 'example.08'],
  // Digits and dots that become ASCII.
  ...['\uff11\uff12\uff17.0.0.1', '127\u30020\u30020\u30021', '\u2460\u2461\u2466.0.0.1', '\u0661.1.1.1'],
  // IPv6: plain, in brackets, mapped, NAT64, 6to4, with zone ids.
  ...['::1', '[::1]', '::', '[::]', '::ffff:127.0.0.1', '[::ffff:7f00:1]', '64:ff9b::7f00:1', '[64:ff9b::127.0.0.1]'],
  ...['2002:7f00:1::', 'fe80::1', 'fe80::1%eth0', '[fe80::1%25eth0]', '2001:db8::1', '[::1', '::1]'],
];

export const malformedNames: readonly string[] = [
  ...['', ' ', 'a b.example', '\ta.example', 'a.example\n', 'a.example\r\nHost: b.example', 'a\u0000.example'],
  ...['a\u200b.example', '\u202ea.example', 'a\u00ad.example', '\ufeffa.example', 'a\ud800.example'],
  ...[
    'user@example.org',
    'user:pass@example.org'.replace(':', ''),
    'example.org/path',
    'example.org\\x',
    'ex%61mple.org',
  ],
  ...[
    'example.org#',
    'example.org?',
    "a'.example",
    'a".example',
    '$(id).example',
    'a`b.example',
    'a,b.example',
    'a;b.example',
  ],
  ...[
    'a..example',
    '.',
    '..',
    'example..',
    'example.org..',
    '-a.example',
    'a-.example',
    'example',
    'localhost',
    'localhost.',
  ],
  ...[
    'xn--a.example',
    'xn--.example',
    'xn--zzzz99999.example',
    'a.*.example',
    'a*.example',
    `${'a'.repeat(64)}.example`,
  ],
  ...[
    `${'a.'.repeat(127)}example`,
    `${'a'.repeat(100_000)}.example`,
    'ex\uff41mple.org',
    'example\u3002org',
    '\u212aelvin.example',
  ],
];
