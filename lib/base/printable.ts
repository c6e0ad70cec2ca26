// Owns how untrusted text reaches a terminal or a log: bounded, one line, no escapes, no invisible characters.

// C0/C1 controls, bidi controls (CVE-2021-42574), zero-width and other invisible formatting characters, lone surrogates.
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\ud800-\udfff]|[\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

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
