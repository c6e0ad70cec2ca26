// Owns a resolved profile as people write it: sizes as 64m, durations as 30s.
import { formatDuration, formatSize } from '../base/units.ts';
import { listKeys, toJsonSchema } from './jsonSchema.ts';
import { type Profile, type ProfileFile, profileSchema } from './schema.ts';

function formatAt(holder: unknown, path: readonly string[], format: (value: number) => string): void {
  const [step, ...rest] = path;
  if (step === undefined || typeof holder !== 'object' || holder === null) return;
  const map = holder as Record<string, unknown>;
  const value = map[step];
  if (rest.length > 0) formatAt(value, rest, format);
  else if (typeof value === 'number') map[step] = format(value);
}

/** What could stand in a file and resolves to this very profile. */
export function toReadable(profile: Profile): ProfileFile {
  const readable = structuredClone(profile) as unknown as ProfileFile;
  for (const { path, type } of listKeys(toJsonSchema(profileSchema))) {
    if (type === 'size') formatAt(readable, path, formatSize);
    if (type === 'duration') formatAt(readable, path, formatDuration);
  }
  return readable;
}

/** The keys of a readable profile one by one, `limits.memory` and `2g`; an empty list or map is one value. */
export function flatten(value: unknown, path: readonly string[] = []): { path: readonly string[]; text: string }[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : flatten(inner, [...path, key])));
  }
  return [{ path, text: typeof value === 'string' ? value : JSON.stringify(value) }];
}
