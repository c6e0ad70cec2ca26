// Owns how sizes and durations are written: 64m, 2g; 500ms, 30s, 5m, 1h.
import { CofferdamError } from './errors.ts';

const sizeUnits: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const sizePattern = /^([0-9]{1,12})(b|k|m|g|t)?$/;
export const durationPattern = /^([0-9]{1,12})(ms|s|m|h|d)$/;

/** Bytes of `64m`, `2g`, `4096` (powers of 1024, lower case). Throws VALUE_INVALID. */
export function parseSize(text: string): number {
  const match = sizePattern.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * (sizeUnits[match[2] ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes))
    throw new CofferdamError('VALUE_INVALID', `"${text}" is not a size such as 64m or 2g`);
  return bytes;
}

/** Milliseconds of `500ms`, `30s`, `5m`, `1h`, `2d`. Throws VALUE_INVALID: a bare number has no unit and is refused. */
export function parseDuration(text: string): number {
  const match = durationPattern.exec(text);
  const ms = match === null ? Number.NaN : Number(match[1]) * (durationUnits[match[2] ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(ms)) {
    throw new CofferdamError('VALUE_INVALID', `"${text}" is not a duration such as 500ms, 30s or 5m`);
  }
  return ms;
}

/** `67108864` as `64m`: the largest unit that divides it. */
export function formatSize(bytes: number): string {
  for (const unit of ['t', 'g', 'm', 'k']) {
    const factor = sizeUnits[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}`;
}

/** `90000` as `90s`: the largest unit that divides it. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const factor = durationUnits[unit] ?? 1;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}
