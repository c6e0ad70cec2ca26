// Owns the keys by which who is attached to a terminal leaves it, and finding them in what is typed.
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

/** As podman's and docker's. */
export const usualDetachKeys = 'ctrl-p,ctrl-q';

/** Bytes of `ctrl-p,ctrl-q`, `ctrl-]` or `a,b`; none for the empty text. Throws VALUE_INVALID. */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return [];
  return text.split(',').map((key) => {
    const [, letter] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[!-~]$/.test(key)) return key.charCodeAt(0);
    throw new CofferdamError('VALUE_INVALID', `--detach-keys: "${printable(key, 40)}" is no key`, {
      remedy: `write them as ${usualDetachKeys}`,
    });
  });
}

export class DetachKeys {
  readonly #keys: readonly number[];
  /** How many of them have been typed, and are held back. */
  #seen = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What of the bytes is for the program, and whether the keys were typed; what follows them is dropped. */
  take(bytes: Uint8Array): { readonly passed: Uint8Array; readonly left: boolean } {
    const passed: number[] = [];
    for (const byte of bytes) {
      while (this.#seen > 0 && byte !== this.#keys[this.#seen]) this.#giveUp(passed);
      if (byte === this.#keys[this.#seen]) this.#seen += 1;
      else passed.push(byte);
      if (this.#keys.length > 0 && this.#seen === this.#keys.length)
        return { passed: Uint8Array.from(passed), left: true };
    }
    return { passed: Uint8Array.from(passed), left: false };
  }

  // The first of those held back was no beginning after all; those behind it may still be one.
  #giveUp(passed: number[]): void {
    const held = this.#keys.slice(0, this.#seen);
    do passed.push(held.shift() ?? 0);
    while (held.some((key, at) => key !== this.#keys[at]));
    this.#seen = held.length;
  }
}
