// Owns reading /proc/net: addresses as people write them, listeners alone, and nothing from lines that are none.
import { test } from 'tap';
import { parseEphemeral, parseSockets } from '../../../lib/policy/ports/procNet.ts';

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const row = (local: string, state: string, uid = 1000, inode = 42) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;

const addresses: Readonly<Record<string, string>> = {
  '0100007F:1F90': '127.0.0.1 8080',
  '00000000:0016': '0.0.0.0 22',
  '0A01A8C0:FFFF': '192.168.1.10 65535',
  '00000000000000000000000000000000:0050': ':: 80',
  '00000000000000000000000001000000:0050': '::1 80',
  '0000000000000000FFFF00000100007F:0050': '127.0.0.1 80',
  'B80D01200000000067452301EFCDAB89:0050': '2001:db8::123:4567:89ab:cdef 80',
};

for (const [local, wanted] of Object.entries(addresses)) {
  test(`${local} is ${wanted}`, async (t) => {
    const [found] = parseSockets(head + row(local, '0A'), 'tcp');
    t.equal(`${found?.address} ${found?.port}`, wanted);
    t.match(found, { protocol: 'tcp', uid: 1000, inode: '42' });
  });
}

test('connections are no listeners, and of UDP those that are not connected are', async (t) => {
  const text = head + row('0100007F:0001', '0A') + row('0100007F:0002', '01') + row('0100007F:0003', '07');
  t.strictSame(
    parseSockets(text, 'tcp').map(({ port }) => port),
    [1],
  );
  t.strictSame(
    parseSockets(text, 'udp').map(({ port }) => port),
    [3],
  );
});

test('lines that are none are passed over', async (t) => {
  const lines = ['', 'x', '0: 0100007F', row('7F:0001', '0A'), row('0100007F:1', '0A'), row('zzzzzzzz:0001', '0A')];
  t.strictSame(parseSockets(lines.join('\n'), 'tcp'), []);
});

test('the ports that the kernel gives out are read, or taken as its own defaults', async (t) => {
  t.strictSame(parseEphemeral('1024\t2048\n'), { first: 1024, last: 2048 });
  t.strictSame(parseEphemeral('?'), { first: 32768, last: 60999 });
});
