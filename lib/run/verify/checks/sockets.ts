// Owns the checks of socket families: those that a network namespace doesn't confine, or that are kernel code nobody needs.
import { type Check, harmless, noControl, refusedAnyway, refuses } from '../check.ts';

/** Outside, a type that doesn't exist is asked for, so that no module is loaded for it. */
const families = ['packet', 'vsock', 'alg', 'key', 'can', 'tipc', 'rds', 'bluetooth', 'xdp', 'smc', 'kcm'];

export const socketChecks: readonly Check[] = [
  ...families.map((name) => refuses(`socket.${name}`, `AF_${name.toUpperCase()} is refused`, ['EPERM'], harmless)),
  refuses('socket.raw', 'raw IPv4 sockets are refused', ['EPERM'], refusedAnyway),
  refuses('socket.raw6', 'raw IPv6 sockets are refused', ['EPERM'], refusedAnyway),
  refuses('socket.sctp', 'SCTP is refused', ['EPERM'], noControl('outside the kernel might load a module for it')),
  refuses('socket.netlink-generic', 'generic netlink is refused', ['EPERM']),
  refuses('socket.netlink-uevent', 'device events of the host cannot be read', ['EPERM']),
  refuses('socket.netlink-audit', 'the audit socket is refused', ['EPERM']),
  refuses('socket.pair-inet', 'socket pairs are unix ones only', ['EPERM']),
];
