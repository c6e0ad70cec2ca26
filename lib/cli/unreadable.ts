// Owns what a person is told of sandboxes that a listing leaves out.
import { printable } from '../base/printable.ts';
import type { Unreadable } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';

/** Says on stderr which sandboxes cannot be read, why, and what to do. */
export function tellUnreadable({ terminal }: CliContext, unreadable: readonly Unreadable[]): void {
  for (const { id, error } of unreadable)
    terminal.err(`sandbox: ${id} is left out: ${printable(error.message, 2000)}\n  ${printable(error.remedy, 500)}\n`);
}
