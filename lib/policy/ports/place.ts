// Owns what a place to listen at is, and how it is written.
import type { Protocol } from './schema.ts';

/** An address and port of a protocol. */
export interface Place {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:53/udp`. */
export function placeText({ protocol, address, port }: Place): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${port}${protocol === 'tcp' ? '' : `/${protocol}`}`;
}
