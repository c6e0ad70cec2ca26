// Owns who may widen the policy: a person at a terminal, or root saying so. It stops what only calls us, not what can be us.
import { CofferdamError } from '../base/errors.ts';
import type { Change } from '../policy/diff.ts';
import type { CliContext } from './context.ts';

/** What --help says about it. */
export const permitHelp = `
Letting more out needs a person: stdin and stderr must be a terminal, or root gives --yes. This holds an agent that
can only call commands. It does not hold a program that runs outside a sandbox with your own uid: that one can make a
terminal of its own, or write the file. On a host where agents run under another uid than yours, the file is yours
alone and it holds against them too.`;

export const yesFlag = '--yes';
export const yesAbout = 'as root: let more out although no person is at a terminal';

/** Throws WIDENING_REFUSED for `widening`, unless a person or root asked for it; `what` completes "refused". */
export function refuseWidening(
  { terminal, uid }: Pick<CliContext, 'terminal' | 'uid'>,
  yes: boolean,
  what: string,
  widening: readonly string[],
): void {
  if (widening.length === 0 || (terminal.inIsTerminal && terminal.errIsTerminal) || (yes && uid === 0)) return;
  const why = yes ? `${yesFlag} is for root` : 'no person is at a terminal';
  throw new CofferdamError('WIDENING_REFUSED', `refused ${what}: ${why}`, { details: widening });
}

/** A judge of changes that throws WIDENING_REFUSED for those that let more out, unless a person or root asked for them. */
export function permitWidening(context: CliContext, yes: boolean): (changes: readonly Change[]) => void {
  return (changes) => {
    const widening = changes.filter(({ effect }) => effect === 'widens').map(({ text }) => text);
    refuseWidening(context, yes, 'to let more out', widening);
  };
}
