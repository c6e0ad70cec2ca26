// Owns `firewall approve` and `firewall reject`: a person's answer to a refused request. An approval is an edit of firewall.yaml.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { ownPolicySource } from '../firewall/policySource.ts';
import { planApproval } from '../policy/approval.ts';
import { endAfter, readClock } from '../policy/clock.ts';
import { editPolicyFile } from '../policy/editFile.ts';
import { warnLookalike } from '../policy/lookalike.ts';
import type { EgressRequest } from '../service/requests/requests.ts';
import type { CliContext } from './context.ts';
import { readPolicyIfPresent } from './firewall-denied.ts';
import { readGrant } from './firewall-edit.ts';
import { permitHelp, permitWidening, yesAbout, yesFlag } from './firewall-permit.ts';
import { findAsked, giveAnswer } from './firewall-records.ts';
import { printJson } from './print.ts';

interface ApproveFlags {
  readonly for?: string;
  readonly yes?: true;
  readonly json?: true;
}

// Who approves types an id, and has not written the name: one that looks like another takes the longer way.
function refuseLookalike({ host }: EgressRequest): void {
  const details = warnLookalike(host);
  if (details.length === 0) return;
  throw new CofferdamError('WIDENING_REFUSED', `refused to approve a name that looks like another: ${host}`, {
    details,
    remedy: 'if it is the one you mean, a person writes it out: firewall allow HOST',
  });
}

async function approve(context: CliContext, id: string, flags: ApproveFlags): Promise<void> {
  const { paths, uid, terminal } = context;
  const clock = readClock();
  const end = flags.for === undefined ? undefined : endAfter(readGrant(flags.for), clock);
  const asked = await findAsked(context, id);
  const { request } = asked;
  const { file } = ownPolicySource(paths, uid);
  const plan = planApproval(request, readPolicyIfPresent(context), clock, end);
  if (plan.fault !== undefined)
    throw new CofferdamError('APPROVAL_USELESS', `${request.id} cannot be approved: ${printable(plan.fault, 500)}`);
  refuseLookalike(request);
  const permit = permitWidening(context, flags.yes === true);
  const { changes } = await editPolicyFile({ file, uid, edit: plan.edit, clock, permit });
  const answer = { answer: 'approved', by: `uid ${uid}`, until: end?.wallMs } as const;
  await giveAnswer(context, asked, answer);
  if (flags.json === true) printJson(terminal, { id: request.id, file, changes });
  else terminal.out(`${changes.map(({ text }) => `${text}\n`).join('')}written to ${printable(file, 300)}\n`);
}

async function reject(context: CliContext, id: string, json: boolean): Promise<void> {
  const asked = await findAsked(context, id);
  const { request } = asked;
  await giveAnswer(context, asked, { answer: 'rejected', by: `uid ${context.uid}`, until: undefined });
  if (json) printJson(context.terminal, { id: request.id, state: 'rejected' });
  else context.terminal.out(`rejected ${request.id}: its run is not asked about again\n`);
}

/** `firewall approve` and `firewall reject`. */
export function answerCommands(context: CliContext): Command[] {
  return [
    createCommand('approve')
      .description('Let a refused request through: its host and port, for the tool (or the profile) that asked')
      .argument('<id>', 'as `firewall denied` shows it, or its beginning')
      .option('--for <time>', 'until then only: 15m, 2h, at most 7d; also ends with a reboot')
      .option(yesFlag, yesAbout)
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        `${permitHelp}\n\nExamples:\n  firewall approve q3f9a2c41d07be65 --for 15m\n  firewall approve q3f9a`,
      )
      .action((id: string, flags: ApproveFlags) => approve(context, id, flags)),
    createCommand('reject')
      .description('Say no to a held request: it fails at once, and its run is not asked about again')
      .argument('<id>', 'as `firewall requests` shows it, or its beginning')
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExample:\n  firewall reject q3f9a2c41d07be65')
      .action((id: string, { json }: { json?: true }) => reject(context, id, json === true)),
  ];
}
