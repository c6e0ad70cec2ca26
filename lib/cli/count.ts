// Owns counts on a command line: whole numbers, not negative.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';

/** The number that `text` says. Throws VALUE_INVALID naming the `flag`. */
export function parseCount(text: string, flag: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new CofferdamError('VALUE_INVALID', `${flag}: "${printable(text, 40)}" is not a whole number`, {
    remedy: `give ${flag} a number such as 20`,
  });
}
