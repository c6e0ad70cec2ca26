// Owns the command tree of `firewall`, in the order of the help text; what each command does stands in its own file.
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { growTree, type Verbs } from './tree.ts';

const about = 'Say what sandboxes may reach, and ask what would be decided';
const examples = `
Examples:
  firewall allow --tool web.search@v1 example.org
  firewall explain --tool web.search@v1 example.org
  firewall list`;

/** Every verb of `firewall`. */
export function firewallVerbs(context: CliContext): Verbs {
  return {
    list: async () => (await import('./firewall-list.ts')).listCommand(context),
    'allow deny remove': async () => (await import('./firewall-edit.ts')).editCommands(context),
    explain: async () => (await import('./firewall-explain.ts')).explainCommand(context),
    'denied requests': async () => (await import('./firewall-denied.ts')).deniedCommands(context),
    'approve reject': async () => (await import('./firewall-approve.ts')).answerCommands(context),
    log: async () => (await import('./firewall-log.ts')).firewallLogCommand(context),
    replay: async () => (await import('./firewall-replay.ts')).replayCommand(context),
    proxy: async () => (await import('./firewall-proxy.ts')).firewallProxyCommand(context),
    plan: async () => (await import('./firewall-plan.ts')).firewallPlanCommand(context),
    'apply confirm rollback off': async () => (await import('./firewall-apply.ts')).firewallChangeCommands(context),
    status: async () => (await import('./firewall-status.ts')).firewallStatusCommand(context),
    watch: async () => (await import('./firewall-watch.ts')).firewallWatchCommand(context),
    completion: async () =>
      (await import('./firewall-completion.ts')).firewallCompletionCommand(context, () => createFirewall(context)),
  };
}

/** The tree; of its verbs only what stands with `verb`, where there is one of that name. Parsing throws as createProgram says. */
export function createFirewall(context: CliContext, verb?: string): Promise<Command> {
  return growTree({ name: 'firewall', about, examples, verbs: firewallVerbs(context) }, context, verb);
}
