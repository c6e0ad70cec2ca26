// Owns what the bridge and the account that runs Squid say to each other: lines of JSON, one connection for each Squid.
import { z } from 'zod';
import { failureSchema } from '../egress/protocol.ts';

/** A longer line ends the connection. The longest holds a policy, each byte of which may take two. */
export const mostHostMessage = 16 << 20;

const amount = z.number().min(0);
const text = z.string().max(70_000);

/** From the bridge. The policy is text, so that who runs Squid reads it as strictly as everybody does. */
export const hostRequest = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('start'),
    policy: z.string(),
    /** What the policy's text came from, for its errors. */
    file: z.string(),
    clock: z.strictObject({ wallMs: z.number(), bootId: z.string(), bootMs: z.number() }),
    /** `http://HOST:PORT`. */
    parent: z.string().nullable(),
  }),
  z.strictObject({ do: z.literal('stop'), drainMs: amount }),
]);

const entry = z.strictObject({
  time: amount,
  run: text.nullable(),
  tool: text.nullable(),
  profile: text.nullable(),
  connection: amount,
  request: text.nullable(),
  method: text,
  host: text,
  port: amount,
  result: z.enum(['allow', 'deny']),
  reason: text,
  status: amount,
  squid: text,
  error: text.nullable(),
  server: text.nullable(),
  sni: text.nullable(),
  bytesOut: amount,
  bytesIn: amount,
  ms: amount,
});

/** To the bridge. The connection ends after `failed` and `exited`. */
export const hostEvent = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('started'), pid: amount, port: amount }),
  z.strictObject({ event: z.literal('failed'), error: failureSchema }),
  z.strictObject({ event: z.literal('entry'), entry }),
  z.strictObject({ event: z.literal('exited'), text }),
]);

export type HostRequest = z.output<typeof hostRequest>;
export type HostEvent = z.output<typeof hostEvent>;
