// Owns the checks of the network: what the namespace holds, and that nothing of the host can be reached. Nothing is sent.

import { proxyPort } from '../../../spec/environment.ts';
import { type Check, harmless, harmlessIf, nothingOf, outside, refuses, verdict } from '../check.ts';
import type { Facts } from '../evidence.ts';
import { interfaceNames, rows } from '../procfs.ts';

const loopback6 = '00000000000000000000000000000001';

/** Routes that leave by another interface than lo. */
function routes(facts: Facts): string[] {
  const v4 = rows(facts.text('net/route')).map((line) => line.split(/\s+/)[0] ?? '');
  // /proc/net/ipv6_route has no head; the interface is its last column.
  const v6 = facts
    .text('net/ipv6_route')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).at(-1) ?? '');
  return [...v4, ...v6].filter((name) => name !== '' && name !== 'lo');
}

const needsRoute = (file: string) =>
  harmlessIf((host) => {
    const lines = host.text(file).split('\n');
    const leaves = lines.some((line) => /\S/.test(line) && !/\blo$/.test(line.trim()) && !line.startsWith('Iface'));
    return leaves ? undefined : 'this host has no route either';
  });

function tableIsEmpty(id: string, says: string, file: string, control: Check['control']): Check {
  return outside(id, says, control, ({ program }) => {
    const found = rows(program.text(file));
    return verdict(found.length === 0, `${found.length} entries`);
  });
}

// The control finds at least our own doors (doors.ts).
const needsLoopback6 = harmlessIf((host) =>
  host.text('net/if_inet6').includes(loopback6) ? undefined : 'this host has no IPv6',
);

// As the kernel prints what listens on 127.0.0.1 (proc(5)), on a machine of either byte order.
const loopback4 = new Uint32Array(Uint8Array.of(127, 0, 0, 1).buffer)[0] ?? 0;
const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
const wayOutListener = `${hex(loopback4, 8)}:${hex(proxyPort, 4)} 00000000:0000 0A`;

const needsInterface = harmlessIf((host) =>
  interfaceNames(host).join() === 'lo' ? 'this host has no other interface either' : undefined,
);

export const networkChecks: readonly Check[] = [
  outside('net.interfaces', 'the namespace holds lo and nothing else', needsInterface, ({ program }) => {
    const names = interfaceNames(program);
    return verdict(names.join() === 'lo', names.join(' '));
  }),
  outside('net.routes', 'no route leads out', needsRoute('net/route'), ({ program }) =>
    nothingOf(routes(program), 'none'),
  ),
  outside(
    'net.addresses',
    'no IPv6 address but ::1',
    harmlessIf((host) =>
      /^(?!0{31}1)/m.test(host.text('net/if_inet6').trim()) ? undefined : 'this host has no IPv6 either',
    ),
    ({ program }) => {
      const found = program
        .text('net/if_inet6')
        .split('\n')
        .map((line) => line.split(' ')[0] ?? '');
      return nothingOf(
        found.filter((address) => address !== '' && address !== loopback6),
        'none or ::1',
      );
    },
  ),
  outside(
    'net.no-tcp',
    'no TCP socket is open when a program starts, but that of the way out',
    harmless,
    (evidence) => {
      const { program, expected } = evidence;
      const found = rows(program.text('net/tcp')).map((line) => line.trim().split(/\s+/).slice(1, 4).join(' '));
      const wanted = expected.profile.network.mode === 'proxy' ? [wayOutListener] : [];
      return verdict(found.join() === wanted.join(), `${found.length} entries`);
    },
  ),
  tableIsEmpty('net.no-tcp6', 'no TCP socket over IPv6 is open', 'net/tcp6', needsLoopback6),
  tableIsEmpty('net.no-udp', 'no UDP socket is open', 'net/udp', harmless),
  tableIsEmpty('net.no-udp6', 'no UDP socket over IPv6 is open', 'net/udp6', needsLoopback6),
  tableIsEmpty('net.no-unix', 'no unix socket of the host is in reach', 'net/unix', harmless),
  refuses('net.route-ipv4', 'there is no way to an IPv4 address', ['ENETUNREACH'], needsRoute('net/route')),
  refuses('net.route-ipv6', 'there is no way to an IPv6 address', ['ENETUNREACH'], needsRoute('net/ipv6_route')),
  refuses('net.host-loopback', "who listens on the host's loopback cannot be reached", ['ECONNREFUSED']),
  refuses('net.host-abstract', 'who listens on an abstract socket of the host cannot be reached', ['ECONNREFUSED']),
];
