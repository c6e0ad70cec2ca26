// Owns the command tree of `firewall`; what each command does stands in its own file.
import { type Command, createCommand } from 'commander';
import type { CliContext } from './context.ts';
import { firewallChangeCommands } from './firewall-apply.ts';
import { answerCommands } from './firewall-approve.ts';
import { firewallCompletionCommand } from './firewall-completion.ts';
import { deniedCommands } from './firewall-denied.ts';
import { editCommands } from './firewall-edit.ts';
import { explainCommand } from './firewall-explain.ts';
import { listCommand } from './firewall-list.ts';
import { firewallLogCommand } from './firewall-log.ts';
import { firewallPlanCommand } from './firewall-plan.ts';
import { firewallProxyCommand } from './firewall-proxy.ts';
import { replayCommand } from './firewall-replay.ts';
import { firewallStatusCommand } from './firewall-status.ts';
import { firewallWatchCommand } from './firewall-watch.ts';
import { settle } from './tree.ts';

const examples = `
Examples:
  firewall allow --tool web.search@v1 example.org
  firewall explain --tool web.search@v1 example.org
  firewall list`;

/** The whole tree. Parsing throws CommanderError for bad usage, after saying what is wrong. */
export function createFirewall(context: CliContext): Command {
  const program = createCommand('firewall')
    .description('Say what sandboxes may reach, and ask what would be decided')
    .version(context.version)
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText('after', examples);
  const commands = [
    listCommand(context),
    ...editCommands(context),
    explainCommand(context),
    ...deniedCommands(context),
    ...answerCommands(context),
    firewallLogCommand(context),
    replayCommand(context),
    firewallProxyCommand(context),
    firewallPlanCommand(context),
    ...firewallChangeCommands(context),
    firewallStatusCommand(context),
    firewallWatchCommand(context),
  ];
  for (const command of commands) program.addCommand(command);
  program.addCommand(firewallCompletionCommand(context, () => program));
  settle(program, context);
  return program;
}
