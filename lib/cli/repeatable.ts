// Owns options that may be given more than once.

/** For commander: each value behind those that came before. */
export function repeatable(value: string, list: readonly string[]): string[] {
  return [...list, value];
}
