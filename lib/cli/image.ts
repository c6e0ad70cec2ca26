// Owns `sandbox image`: which verbs there are. Each verb's file owns its own options and printing.
import { Command } from 'commander';
import type { CliContext } from './context.ts';
import { buildCommand } from './image-build.ts';
import { checkCommand, type RunInside } from './image-check.ts';
import { containerfileCommand, inspectCommand, lsCommand, sbomCommand } from './image-show.ts';
import { loadCommand, saveCommand } from './image-transfer.ts';
import { outdatedCommand, rmCommand } from './image-upkeep.ts';

/** The command `image`. `runInside` starts a sandbox of an image with no network and waits for it (`image check`). */
export function imageCommand(context: CliContext, runInside: RunInside): Command {
  const command = new Command('image').description('build, look at, check and move images');
  for (const verb of [
    buildCommand(context),
    lsCommand(context),
    inspectCommand(context),
    checkCommand(context, runInside),
    sbomCommand(context),
    containerfileCommand(context),
    saveCommand(context),
    loadCommand(context),
    outdatedCommand(context),
    rmCommand(context),
  ]) {
    command.addCommand(verb);
  }
  return command.addHelpText(
    'after',
    '\nExamples:\n  sandbox image build python-tools\n  sandbox image ls\n  sandbox image check --all\n',
  );
}
