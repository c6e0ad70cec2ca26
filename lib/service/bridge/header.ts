// Owns the PROXY protocol v2 header that tells Squid whose a connection is. Nothing in it comes from a guest.
import { isIPv4 } from 'node:net';

/** Numbers of the tools and profiles that the policy names, from 1; 0 stands for one that it does not name. */
export interface Numbers {
  readonly tools: ReadonlyMap<string, number>;
  readonly profiles: ReadonlyMap<string, number>;
}

/** Whose a run is. */
export interface RunIdentity {
  /** The run's id: letters, digits, `_` and `-`. */
  readonly run: string;
  /** 48 bits that stand for the run in the address. */
  readonly number: number;
  readonly tool: string | undefined;
  readonly profile: string;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Version 2, PROXY; TCP over IPv6. */
const proxied = Buffer.from([0x21, 0x21]);
/** The first three groups of every source address: `fd65:6772:6573`. */
const prefix = [0xfd65, 0x6772, 0x6573] as const;
/** Types for the application's own use (the protocol's text, section 2.2.7), as Squid's `proxy_protocol::>h{224}` names them. */
const types = { principal: 224, run: 225, request: 226 } as const;

function entry(type: number, value: string): Buffer {
  const bytes = Buffer.from(value, 'ascii');
  const head = Buffer.alloc(3);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** `fd65:6772:6573:TOOL:PROFILE:RUN:RUN:RUN` as 16 bytes. */
function sourceAddress({ number, tool, profile }: RunIdentity, numbers: Numbers): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [i, group] of prefix.entries()) bytes.writeUInt16BE(group, 2 * i);
  bytes.writeUInt16BE(tool === undefined ? 0 : (numbers.tools.get(tool) ?? 0), 6);
  bytes.writeUInt16BE(numbers.profiles.get(profile) ?? 0, 8);
  bytes.writeUIntBE(number, 10, 6);
  return bytes;
}

function mapped(address: string): Buffer {
  if (!isIPv4(address)) throw new RangeError(address);
  return Buffer.from([...new Array(10).fill(0), 0xff, 0xff, ...address.split('.').map(Number)]);
}

/** What is a connection's own. */
export interface ConnectionFacts {
  /** Tells the connections of a run apart: its low 16 bits become the source port, never 0. */
  readonly counter: number;
  /** Id of the request that comes first on it; empty where nobody has named it. Letters and digits. */
  readonly request: string;
  /** Where Squid listens. */
  readonly target: { readonly address: string; readonly port: number };
}

/** The header of one connection. */
export function encodeHeader(
  identity: RunIdentity,
  numbers: Numbers,
  { counter, request, target }: ConnectionFacts,
): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE((counter % 0xffff) + 1, 0);
  ports.writeUInt16BE(target.port, 2);
  const principal = `tool=${identity.tool ?? ''};profile=${identity.profile}`;
  const body = Buffer.concat([
    sourceAddress(identity, numbers),
    mapped(target.address),
    ports,
    entry(types.principal, principal),
    entry(types.run, identity.run),
    ...(request === '' ? [] : [entry(types.request, request)]),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length, 0);
  return Buffer.concat([signature, proxied, length, body]);
}
