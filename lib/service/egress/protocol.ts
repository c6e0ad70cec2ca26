// Owns what is said over the control socket: a line of JSON each way, a request and its answer. docs/decisions/0024 lists them.
import { z } from 'zod';
import { catalogue, type ErrorCode } from '../../base/catalogue.ts';
import { CofferdamError } from '../../base/errors.ts';
import { idPattern } from '../../base/ids.ts';
import { printable } from '../../base/printable.ts';
import { scopeNames } from '../../policy/schema.ts';

/** A longer line ends the connection. */
export const mostMessage = 65_536;

const id = z.string().regex(idPattern);

const asked = {
  id,
  tool: scopeNames.tool.nullable(),
  profile: z.string().min(1).max(128),
  /** `network.onDeny: ask`. */
  asks: z.boolean(),
  /** `network.allow` of the profile; null: all that the policy allows. */
  allow: z.array(z.string().max(255)).min(1).max(200).nullable(),
};

export const requestSchema = z.discriminatedUnion('do', [
  /** Opens the way of a run. It lasts until `end`, or until this connection closes. */
  z.strictObject({ do: z.literal('run'), ...asked }),
  /** Opens that of a sandbox that lives on. It lasts until `end`, or until neither this connection nor the fifo `hold` is open. */
  z.strictObject({ do: z.literal('lease'), ...asked, hostFirewall: z.enum(['verified', 'absent']) }),
  z.strictObject({ do: z.literal('end'), id }),
  /** What became of a refused request of `caller`'s: whose log is not theirs to write. Opens nothing. */
  z.strictObject({
    do: z.literal('answer'),
    caller: z.int().min(0),
    id,
    answer: z.enum(['approved', 'rejected']),
    /** The end of what was granted, ms since the epoch. */
    until: z.int().min(0).nullable(),
  }),
  /** Looks at the policy now, rather than at the next tick. */
  z.strictObject({ do: z.literal('reload') }),
  z.strictObject({ do: z.literal('status') }),
]);

export type EgressRequest = z.output<typeof requestSchema>;

const count = z.int().min(0);

export const openedSchema = z.strictObject({
  folder: z.string(),
  /** `sha256:` and 64 hex digits over the policy's text. */
  policy: z.string(),
});

export const leasedSchema = openedSchema.extend({
  /** What the supervisor of the sandbox opens for writing. */
  hold: z.string(),
});

export const summarySchema = z.strictObject({
  /** Requests and tunnels that the proxy let out, and that it refused. */
  allowed: count,
  denied: count,
  /** Connections that the bridge took, and that it did not take: a bound was reached, or the proxy was gone. */
  connections: count,
  refused: count,
  /** Whether the host's wall was seen not to stand while the run had its way. */
  wallDrifted: z.boolean(),
  /** Bytes from and to the sandbox. */
  bytesOut: count,
  bytesIn: count,
});

export const statusSchema = z.strictObject({
  pid: count,
  runs: z.array(
    z.strictObject({
      id,
      tool: z.string().nullable(),
      profile: z.string(),
      /** So far. */
      allowed: count,
      denied: count,
      bytesOut: count,
      bytesIn: count,
    }),
  ),
  /** Null while there is no proxy, and `problem` says why. */
  proxy: z.strictObject({ pid: count, port: count, generation: count }).nullable(),
  problem: z.string().nullable(),
  policy: z.string().nullable(),
});

export type EgressSummary = z.output<typeof summarySchema>;
export type EgressStatus = z.output<typeof statusSchema>;

export const failureSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
  details: z.array(z.string()),
});

export const answerSchema = z.union([
  z.strictObject({ ok: z.literal(true), value: z.unknown() }),
  z.strictObject({ ok: z.literal(false), error: failureSchema }),
]);

export type Failure = z.output<typeof failureSchema>;

/** What of an error crosses the socket. */
export function failureOf(thrown: unknown): Failure {
  const error =
    thrown instanceof CofferdamError
      ? thrown
      : new CofferdamError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown));
  const { code, message, remedy, details } = error;
  return {
    code,
    message: printable(message, 2000),
    remedy,
    details: details.slice(0, 20).map((one) => printable(one, 500)),
  };
}

/** The same error on the other side. */
export function errorOf({ code, message, remedy, details }: Failure): CofferdamError {
  const known = Object.hasOwn(catalogue, code) ? (code as ErrorCode) : 'INTERNAL';
  return new CofferdamError(known, message, { remedy, details });
}
