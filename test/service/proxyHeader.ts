// Owns PROXY protocol v2 headers as the tests send them (haproxy's proxy-protocol.txt, section 2.2).

export interface HeaderParts {
  readonly source: string;
  /** The source's port. */
  readonly connection: number;
  readonly port: number;
  /** TLVs 224 and 225. */
  readonly principal: string;
  readonly run: string;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function tlv(type: number, text: string): Buffer {
  const value = Buffer.from(text);
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

/** An address of eight written-out hextets. */
function address(text: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [i, part] of text.split(':').entries()) bytes.writeUInt16BE(Number.parseInt(part, 16), 2 * i);
  return bytes;
}

/** Version 2, command PROXY, TCP over IPv6. */
export function proxyHeader({ source, connection, port, principal, run }: HeaderParts): Buffer {
  const ports = Buffer.from([connection >> 8, connection & 255, port >> 8, port & 255]);
  const body = Buffer.concat([
    ...[address(source), address('0:0:0:0:0:ffff:7f00:1'), ports],
    ...[tlv(224, principal), tlv(225, run)],
  ]);
  return Buffer.concat([signature, Buffer.from([0x21, 0x21, body.length >> 8, body.length & 255]), body]);
}
