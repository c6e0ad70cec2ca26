// Owns names that do harm where they are printed as they are.
export const hostileNames: readonly string[] = [
  '\u001b]0;owned\u0007a.example',
  '\u001b[2J\u001b[31ma.example',
  'a.example\r\nallow  evil.example',
  'a\u0000.example',
  '\u202eelpmaxe.a',
  'a\u200b.example',
  '\u2066a\u2069.example',
  `${'a'.repeat(100_000)}.example`,
  'xn--\u001b.example',
];
