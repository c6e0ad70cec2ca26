// Owns how a finding of the doctor is printed.
import { printable } from '../base/printable.ts';
import type { Finding, Level } from '../engine/doctor/check.ts';

const colours: Readonly<Record<Level, string>> = { ok: '32', warn: '33', fail: '31' };

/** `ok    kernel.version  Linux 6.1`, and the remedy on a line of its own. */
export function formatFinding({ level, id, seen, remedy }: Finding, colour: boolean): string {
  const word = level.padEnd(4);
  const shown = colour ? `\u001b[${colours[level]}m${word}\u001b[0m` : word;
  const next = remedy === undefined ? '' : `      ${printable(remedy, 300)}\n`;
  return `${shown}  ${printable(id, 100)}  ${printable(seen, 400)}\n${next}`;
}
