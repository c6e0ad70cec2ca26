// Owns how untrusted text reaches a terminal or a log: bounded, one line, no escapes, no invisible characters.

// Controls, bidi controls (CVE-2021-42574), zero-width and other invisible characters, lone surrogates, private use.
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

function escapeCharacter(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (point === 10) return '\\n';
  if (point === 9) return '\\t';
  if (point === 13) return '\\r';
  return point <= 0xff ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`;
}

/**
 * `text` as one harmless line of at most `most` characters (default 200), with `…` where it was cut. A backslash stays
 * as it is: the result is for people, not for parsing back.
 */
export function printable(text: string, most = 200): string {
  // Cut first: the guest may hand us megabytes.
  const characters = Array.from(text.slice(0, most * 2 + 2));
  const cut = characters.length > most;
  const kept = (cut ? characters.slice(0, most) : characters).join('').replace(unsafe, escapeCharacter);
  return cut ? `${kept}…` : kept;
}

/**
 * `value` as JSON that is safe on a terminal: what printable() would escape stands as \uXXXX, which parses back to the same.
 * Indented by two spaces, or in one line with `indent` 0.
 */
export function printableJson(value: unknown, indent = 2): string {
  const units = (character: string) =>
    Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`);
  return JSON.stringify(value, null, indent).replace(unsafe, (character) =>
    character === '\n' ? character : units(character).join(''),
  );
}
