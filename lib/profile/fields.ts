// Owns the forms of single values in a profile or host configuration: sizes, durations, paths, names, ids, digests.
import { z } from 'zod';
import { durationPattern, formatDuration, formatSize, parseDuration, parseSize, sizePattern } from '../base/units.ts';

/** Infinity for what is more than a number holds exactly: twelve digits and a unit can be. */
function parseOrInfinity(parse: (text: string) => number, text: string): number {
  try {
    return parse(text);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Bounds are part of the form: a transform that throws would lose the line. */
const within =
  (parse: (text: string) => number, format: (value: number) => string, least: number, most: number) =>
  (text: string, context: z.core.$RefinementCtx<string>): number => {
    const value = parseOrInfinity(parse, text);
    if (value >= least && value <= most) return value;
    context.addIssue({ code: 'custom', message: `must be between ${format(least)} and ${format(most)}` });
    return z.NEVER;
  };

const sizeForm = 'not a size; write it as 512k, 64m or 2g (powers of 1024)';
const durationForm = 'not a duration; write it as 500ms, 30s, 5m or 1h';

/**
 * A size in YAML (`64m`), bytes in the type. At least 4k unless told otherwise: to tmpfs, podman and docker a size of 0
 * means "no limit".
 */
export const sizeFrom = (least: number) =>
  z
    .string(sizeForm)
    .regex(sizePattern, { error: sizeForm, abort: true })
    .transform(within(parseSize, formatSize, least, 64 * 1024 ** 4));

export const size = (fallback: string, about: string, least = 4096) =>
  sizeFrom(least).prefault(fallback).describe(about);

/** A duration in YAML (`30s`), milliseconds in the type. Never 0, which timeout(1) takes for "none"; 7 days at the most. */
export const duration = z
  .string(durationForm)
  .regex(durationPattern, { error: durationForm, abort: true })
  .transform(within(parseDuration, formatDuration, 10, 7 * 86_400_000));

export const absolutePath = z
  .string()
  .max(4095)
  // No control characters, no "..", no "//": the text is used as a mount target and must mean one place.
  .regex(/^\/(?!.*(?:\/\/|\/\.{1,2}(?:\/|$)))[^\u0000-\u001f\u007f]*$/, 'not a clean absolute path');

/** A path inside that does not stand where the kernel's own file systems and devices are. */
export const insidePath = absolutePath.regex(
  /^\/(?!(?:proc|sys|dev)(?:\/|$))[^/]/,
  "not a place of its own: /, /proc, /sys and /dev are the kernel's",
);

export const mountTarget = insidePath
  .regex(/^\/(?!(?:workspace|artifacts|tmp|run|sandbox)\/?$)/, 'is one of our own folders; name one below it')
  // A mount below it would have a runtime make the folder, as another's than the program's.
  .regex(/^\/(?!run\/shm(?:\/|$))/, 'is where shared memory lies');

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'not a name (lower-case letters, digits, ".", "_", "-"; at most 63)');
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'not a digest (sha256: and 64 hex digits)');
export const id = z.int().min(1, 'must not be 0 (root)').max(65533, 'must be below 65534 (nobody)');

/** Best first. */
export const engineName = z.enum(['best', 'crun', 'podman', 'nerdctl', 'docker']).default('best');
