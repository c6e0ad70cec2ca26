// Owns what root's watcher tells everybody about the wall: a small file that grows old when nobody keeps it fresh.
import { z } from 'zod';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import type { Clock } from '../policy/clock.ts';
import { distrustOthers } from '../profile/hostConfig.ts';
import type { FirewallStatus } from './status.ts';

type State = FirewallStatus['state'];

const publishedSchema = z.strictObject({
  v: z.literal(1),
  state: z.enum(['verified', 'drifted', 'absent']),
  bootId: z.string().max(64),
  /** When, in ms since boot. */
  bootMs: z.number().min(0),
});

/** Ms after which nobody is taken to watch any more: looks come every 10 s, later where the processors are taken. */
export const freshMs = 60_000;

/** Writes the file; everybody may read it, its folder's owner alone may write it. */
export function publishState(file: string, state: State, { bootId, bootMs }: Clock): void {
  writeFileAtomic(file, `${JSON.stringify({ v: 1, state, bootId, bootMs })}\n`, 0o644);
}

export interface Published {
  readonly state: State;
  readonly fresh: boolean;
}

/**
 * What was published in this boot, or undefined. Once a wall was said to stand, silence counts as drift: whoever should
 * look may have been stopped. Throws CONFIG_UNREADABLE for a file of anybody but `owner`.
 */
export function readPublished(file: string, clock: Clock, owner = 0): Published | undefined {
  const text = readTextIfPresent(file, 4096, distrustOthers(owner));
  if (text === undefined) return undefined;
  let found: z.output<typeof publishedSchema>;
  try {
    found = publishedSchema.parse(JSON.parse(text));
  } catch {
    return { state: 'drifted', fresh: false };
  }
  if (found.bootId !== clock.bootId) return undefined;
  const fresh = Math.abs(clock.bootMs - found.bootMs) <= freshMs;
  return { state: fresh || found.state === 'absent' ? found.state : 'drifted', fresh };
}
