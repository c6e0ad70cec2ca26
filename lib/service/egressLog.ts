// Owns the egress log: every request that a sandbox made through the proxy, a JSON object a line, bounded. `firewall log` and `replay` read it.
import { z } from 'zod';
import { appendLines, type LineLog } from '../base/lineLog.ts';
import { egressEntry } from '../policy/replay.ts';

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

/** The log in `folder` (`<paths.state>/egress`): at most 32 MiB. */
export function egressLog(folder: string): LineLog {
  return { folder, name: 'access', kept: 3, rotateAt: 8 << 20 };
}

/** Appends entries; one process does. Throws DISK_FULL, TOOL_FAILED. */
export function writeEgress(folder: string, entries: readonly object[]): void {
  if (entries.length > 0)
    appendLines(
      egressLog(folder),
      entries.map((entry) => JSON.stringify(entry)),
      true,
    );
}

/** The line of a log, or undefined where it is none of ours. */
export function readEgressLine(line: string): LoggedEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
