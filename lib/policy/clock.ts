// Owns when a grant ends: by the wall clock and by the clock of the boot it was made in, whichever comes first.
import { uptime } from 'node:os';
import { bootId } from '../base/process.ts';

export interface Clock {
  /** ms since the epoch. */
  readonly wallMs: number;
  readonly bootId: string;
  /** ms since boot, suspend included (CLOCK_BOOTTIME): nobody can set it. */
  readonly bootMs: number;
}

export interface End {
  /** ms since the epoch. */
  readonly wallMs: number;
  /** Undefined where a person wrote the time alone; that one can be put off by setting the wall clock back. */
  readonly boot: { readonly id: string; readonly ms: number } | undefined;
}

/** Both clocks as they are now. */
export function readClock(): Clock {
  return { wallMs: Date.now(), bootId: bootId(), bootMs: uptime() * 1000 };
}

/** The end of what is granted for `ms` from now. */
export function endAfter(ms: number, clock: Clock): End {
  return { wallMs: clock.wallMs + ms, boot: { id: clock.bootId, ms: clock.bootMs + ms } };
}

/** Whether a grant with this end still holds; a rule without one always does. A reboot ends what has a boot. */
export function isLive(end: End | undefined, clock: Clock): boolean {
  if (end === undefined) return true;
  const byBoot = end.boot === undefined || (end.boot.id === clock.bootId && clock.bootMs < end.boot.ms);
  return byBoot && clock.wallMs < end.wallMs;
}

/** `BOOT-ID@SECONDS`, as it stands in a file; rounded so that it ends sooner, never later. */
export function bootEndText({ id, ms }: NonNullable<End['boot']>): string {
  return `${id}@${Math.floor(ms / 1000)}`;
}

/** The reverse, of a text whose form the schema has checked. */
export function readBootEnd(text: string | undefined): End['boot'] {
  const [id = '', seconds] = (text ?? '').split('@');
  return seconds === undefined ? undefined : { id, ms: Number(seconds) * 1000 };
}
