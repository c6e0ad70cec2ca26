// Owns reading the egress log: a JSON object a line, an AccessEntry as the daemon wrote it. `firewall log` and `replay` take it.
import { z } from 'zod';
import { egressEntry } from '../../policy/replay.ts';

const text = z.string().max(4000).nullish();
const amount = z.number().int().min(0).default(0);

/** A line; it says what `firewall replay` asks for, and more. Texts are the guest's: printable() before anybody sees them. */
const entrySchema = z.object({
  ...egressEntry.shape,
  /** ms since the epoch, at its end. */
  time: z.number().int().min(0).max(8_640_000_000_000_000),
  run: z.string().max(200).nullish(),
  method: text,
  /** Why, in a word of the proxy. */
  reason: text,
  status: amount,
  bytesOut: amount,
  bytesIn: amount,
  ms: amount,
});

export type LoggedEntry = z.output<typeof entrySchema>;

/** The line of a log, or undefined where it is none of ours. */
export function readEgressLine(line: string): LoggedEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
