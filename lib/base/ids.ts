// Owns the form of ids of runs, tasks and jobs. crun itself takes `a b`, so the check is ours (DESIGN.md, isolation gaps).
import { CofferdamError } from './errors.ts';
import { printable } from './printable.ts';

export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** `id` itself, or throws ID_INVALID naming `what` ("run id", "--task-id"). */
export function checkId(id: string, what: string): string {
  if (!idPattern.test(id)) throw new CofferdamError('ID_INVALID', `${what} "${printable(id, 80)}" is not a valid id`);
  return id;
}

/** `bytes` of the kernel's randomness in hex. The global `crypto` is loaded at its first use, node:crypto with its import. */
export function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}

/** A fresh run id: `r` and 16 hex digits of the kernel's randomness. */
export function newRunId(): string {
  return `r${randomHex(8)}`;
}
