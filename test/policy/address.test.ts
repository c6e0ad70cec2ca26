// Owns the proof that a name leads nowhere private: not to the host, not to metadata, not by way of IPv6.
import { test } from 'tap';
import { decideAddress, type Network, readNetwork } from '../../lib/policy/address.ts';

function network(text: string): Network {
  const reading = readNetwork(text);
  if (reading.fault !== undefined) throw new Error(reading.fault);
  return reading.network;
}

const publicOnes = [
  '1.1.1.1',
  '8.8.8.8',
  '172.32.0.1',
  '172.15.255.255',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
];
const closed = [
  ...[
    '0.0.0.0',
    '10.0.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.1.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
  ],
  ...['100.64.0.1', '192.0.0.8', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '203.0.113.9'],
  ...[
    '::',
    '::1',
    '::ffff:1.1.1.1',
    '::ffff:10.0.0.1',
    '::1.1.1.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '100::1',
    'fc00::1',
  ],
  ...['fd12::1', 'fe80::1', 'fec0::1', 'ff02::1', '2001::1', '2001:db8::1', '2002:a00:1::1', '3fff::1', '4000::1'],
];

test('public addresses are allowed, all others denied', async (t) => {
  for (const address of publicOnes) t.equal(decideAddress(address, []).result, 'allow', address);
  for (const address of closed) t.equal(decideAddress(address, []).result, 'deny', `refuses ${address}`);
  for (const text of ['', 'example.org', '10.0.0', '0x7f.1', '1.1.1.1 ', 'fe80::1%eth0x'])
    t.equal(decideAddress(text, []).result, 'deny', `refuses "${text}"`);
});

test('an exception opens its network, and no more', async (t) => {
  const exceptions = [network('10.1.0.0/16'), network('fd12:3::/32')];
  const verdict = (address: string) => decideAddress(address, exceptions).result;
  t.same(['10.1.2.3', '10.2.0.1', '192.168.0.1', '127.0.0.1'].map(verdict), ['allow', 'deny', 'deny', 'deny']);
  t.same(['fd12:3::9', 'fd12:4::9', '::ffff:10.1.2.3'].map(verdict), ['allow', 'deny', 'deny']);
});

test('refuses metadata and link-local addresses whatever an exception says', async (t) => {
  const all = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].map(network);
  t.equal(decideAddress('100.100.100.199', all).result, 'allow', 'the control');
  for (const address of [
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fe80::1',
  ])
    t.equal(decideAddress(address, all).result, 'deny', `refuses ${address}`);
});

test('refuses exceptions for what is not a private network', async (t) => {
  for (const text of ['10.1.2.3', '10.0.0.0/8', '192.168.7.0/24', 'fd00::/8', 'fc00::/7'])
    t.notOk(readNetwork(text).fault, `the control: ${text}`);
  const refused = [
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/7',
    '127.0.0.1',
    '127.0.0.0/8',
    '169.254.169.254/32',
    '8.8.8.8',
    'fe80::/10',
  ];
  const malformed = [
    '10.0.0.0/08',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '10',
    'a',
    '',
    'fd00::1%lo/128',
  ];
  for (const text of [...refused, '::1', '::ffff:10.0.0.0/104', '2001:db8::/32', ...malformed])
    t.type(readNetwork(text).fault, 'string', `refuses ${text}`);
});
