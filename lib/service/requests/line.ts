// Owns one line of the log of requests that wanted out: what was denied, what was asked, what was answered.
import { z } from 'zod';
import { idPattern } from '../../base/ids.ts';

/** Why it was denied: what the policy says, the run's profile, or (`proxy`) the proxy, of a name that the policy allows. */
export const denialReasons = ['rule', 'unlisted', 'port', 'ended', 'address', 'malformed', 'profile', 'proxy'] as const;
export type DenialReason = (typeof denialReasons)[number];

const id = z.string().regex(idPattern);
/** ms since the epoch. */
const time = z.int().min(0);
const head = { v: z.literal(1), time };

const lineSchema = z.discriminatedUnion('event', [
  z.strictObject({
    ...head,
    event: z.literal('request.denied'),
    id,
    run: id,
    tool: z.string().max(128).nullable(),
    profile: z.string().max(128).nullable(),
    /** Canonical; where it is no host name, harmless text that shows what was asked for. */
    host: z.string().max(300),
    /** 0 where it was none. */
    port: z.int().min(0).max(65_535),
    reason: z.enum(denialReasons),
    text: z.string().max(800),
    /** The rule that decided, `file:line:column`. */
    where: z.string().max(1000).nullable(),
  }),
  /** How often so far, written when the number has doubled and at the end of the run. */
  z.strictObject({ ...head, event: z.literal('request.counted'), id, count: z.int().min(1) }),
  /** How many denials of a run are not told apart any more. */
  z.strictObject({ ...head, event: z.literal('request.unkept'), run: id, count: z.int().min(1) }),
  /** The request is held until then. */
  z.strictObject({ ...head, event: z.literal('approval.requested'), id, until: time }),
  z.strictObject({
    ...head,
    event: z.literal('approval.resolved'),
    id,
    answer: z.enum(['approved', 'rejected']),
    /** `uid 1000`, `approve_all`. */
    by: z.string().max(80),
    /** The end of what was granted; null without one. */
    until: time.nullable(),
  }),
  z.strictObject({ ...head, event: z.literal('approval.expired'), id }),
]);

export type RequestLine = z.output<typeof lineSchema>;
export type DenialLine = Extract<RequestLine, { event: 'request.denied' }>;

/** The line of a log, or undefined where it is none of ours. */
export function readRequestLine(text: string): RequestLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
