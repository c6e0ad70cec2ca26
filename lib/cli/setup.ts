// Owns `sandbox setup`: preparing a host, step by step, as root.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { runStep, type StepReport } from '../engine/setup/step.ts';
import { bootSteps, setupSteps } from '../engine/setup/steps.ts';
import { ensureInit } from '../run/init.ts';
import type { CliContext } from './context.ts';
import { clientEnvironment } from './image-build.ts';
import { printJson } from './print.ts';

interface SetupFlags {
  user?: string;
  check?: true;
  tests?: true;
  egress?: true;
  boot?: true;
  json?: true;
}

function refuseOthers(context: CliContext, flags: SetupFlags): void {
  if (context.uid === 0 || flags.check === true) return;
  const user = flags.user === undefined ? '--user "$USER"' : `--user ${printable(flags.user, 60)}`;
  throw new CofferdamError('HOST_UNPREPARED', 'preparing a host takes root', {
    remedy: `sudo bin/sandbox setup ${user}`,
  });
}

function describe({ title, state, text }: StepReport): string {
  const words = { already: 'already', done: 'done   ', missing: 'missing', failed: 'failed ' }[state];
  return `${words}  ${title}${text === '' ? '' : `: ${printable(text, 400)}`}\n`;
}

export function setupCommand(context: CliContext): Command {
  return createCommand('setup')
    .description('Prepare this host: packages, subordinate ids, control groups. As root; a second time changes nothing')
    .option('--user <name>', 'a user who will run sandboxes without root')
    .option('--check', 'change nothing; exit 1 when something is missing')
    .option('--tests', 'also install what bin/test needs')
    .option('--egress', 'also the way out as a service of the host, for root and every user prepared (systemd)')
    .option('--boot', 'only what a reboot takes away, for every user prepared before')
    .option('--json', 'print {steps}')
    .addHelpText('after', '\nExample:\n  sudo bin/sandbox setup --user "$USER"')
    .action(async (flags: SetupFlags) => {
      refuseOthers(context, flags);
      const { paths, terminal, signal } = context;
      const env = clientEnvironment(context.env);
      const user = flags.user;
      const steps =
        flags.boot === true
          ? bootSteps(paths)
          : setupSteps({ paths, user, tests: flags.tests === true, egress: flags.egress === true, env });
      const reports: StepReport[] = [];
      for (const step of steps) {
        signal.throwIfAborted();
        const report = await runStep(step, flags.check === true);
        reports.push(report);
        if (flags.json !== true) terminal.out(describe(report));
      }
      // Where every user's sandboxes find it, without a user's name in its path.
      if (flags.check !== true) ensureInit(paths);
      if (flags.json === true) printJson(terminal, { steps: reports });
      if (reports.some(({ state }) => state === 'missing')) context.exit(1);
    });
}
