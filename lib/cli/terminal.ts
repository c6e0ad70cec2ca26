// Owns what -t asks of our own streams, the same for every command.
import { CofferdamError } from '../base/errors.ts';
import type { Terminal } from './context.ts';

/** Throws USAGE unless stdout is a terminal, and stdin is where it is typed to. */
export function requireTerminal({ outIsTerminal, inIsTerminal }: Terminal, typed: boolean): void {
  if (outIsTerminal && (!typed || inIsTerminal)) return;
  throw new CofferdamError('USAGE', '-t needs a terminal, and there is none', { remedy: 'leave -t out' });
}
