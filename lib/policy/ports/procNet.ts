// Owns the tables of sockets in /proc/net as values (proc(5)): numbers alone, so that nothing a process is called comes along. Pure.
import type { Place } from './place.ts';
import type { Protocol } from './schema.ts';

/** A socket that takes what is sent to its place. */
export interface Listener extends Place {
  /** Who made it. */
  readonly uid: number;
  /** Of the socket: what /proc/PID/fd shows. */
  readonly inode: string;
}

/** net/tcp_states.h: TCP_LISTEN; a UDP socket that is not connected has TCP_CLOSE. */
const states: Readonly<Record<Protocol, string>> = { tcp: '0A', udp: '07' };

// Words of 32 bits in the byte order of the processor, which is little-endian on all that we run on.
function readBytes(hex: string): number[] {
  return (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).toReversed().map((byte) => Number.parseInt(byte, 16)),
  );
}

function addressText(hex: string): string {
  const bytes = readBytes(hex);
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  // As `::ffff:127.0.0.1` the same place as 127.0.0.1.
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') return bytes.slice(12).join('.');
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const line =
  /^\s*[0-9]+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) \S+ \S+ \S+\s+([0-9]{1,10})\s+[0-9]+\s+([0-9]{1,20})\s/;

/** The listeners in the text of /proc/net/tcp, tcp6, udp or udp6. Lines that are none of theirs are passed over. */
export function parseSockets(text: string, protocol: Protocol): Listener[] {
  return text.split('\n').flatMap((row) => {
    const [, hex = '', port = '', state, uid, inode = ''] = line.exec(row) ?? [];
    if (state !== states[protocol]) return [];
    return [{ protocol, address: addressText(hex), port: Number.parseInt(port, 16), uid: Number(uid), inode }];
  });
}

/** First and last of the ports that the kernel gives to who does not ask for one, from ip_local_port_range (ip(7)). */
export function parseEphemeral(text: string): { readonly first: number; readonly last: number } {
  const [, first, last] = /^([0-9]{1,5})\s+([0-9]{1,5})\s*$/.exec(text) ?? [];
  return { first: Number(first ?? 32_768), last: Number(last ?? 60_999) };
}
