// Owns telling a person, after a run, what it was refused on its way out: with the command that allows it, and only at a terminal.
import { printable } from '../base/printable.ts';
import type { RunResult } from '../run/result.ts';
import { readRequests } from '../service/requests/requests.ts';
import type { CliContext } from './context.ts';
import { egressFolder, shownTo } from './firewall-denied.ts';
import { isForPerson, requestText } from './firewall-request-text.ts';

const mostTold = 5;

/**
 * On stderr, after the program's own. What reads a pipe may be the agent that was refused: it gets the ids alone. Never asks: the
 * guest writes to the same terminal.
 */
export async function tellDenied(context: CliContext, { id, egress, egressProblem }: RunResult): Promise<void> {
  const { terminal } = context;
  const say = (text: string) => terminal.err(`sandbox: ${text}\n`);
  if (egressProblem !== undefined) say(`nobody knows what left the sandbox: ${printable(egressProblem, 300)}`);
  if (id === null || egress.denied === 0) return;
  const { byId } = await readRequests(egressFolder(context), Date.now());
  const ours = [...byId.values()].filter(({ run }) => run === id);
  const told = ours.slice(0, mostTold);
  if (isForPerson(terminal)) {
    const shown = shownTo(context, context.uid);
    for (const request of told) terminal.err(`sandbox: refused on its way out: ${requestText(request, shown)}`);
  } else if (told.length > 0) say(`refused on its way out: ${told.map((request) => request.id).join(' ')}`);
  if (ours.length > told.length) say(`${ours.length - told.length} more: firewall denied --run ${id}`);
}
