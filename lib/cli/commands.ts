// Owns the list of commands.
import type { Command } from 'commander';
import { listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { executeRun } from '../run/execute.ts';
import { auditCommand } from './audit.ts';
import { completionCommand } from './completion.ts';
import type { CliContext } from './context.ts';
import { applyCommand, diffCommand } from './copy.ts';
import { doctorCommand } from './doctor.ts';
import { gcCommand } from './gc.ts';
import { hostOf } from './host.ts';
import { imageCommand } from './image.ts';
import { keyCommand } from './key.ts';
import { planCommand } from './plan.ts';
import { profileCommand } from './profile.ts';
import { receiptCommand } from './receipt.ts';
import { runCommand } from './run.ts';
import { setupCommand } from './setup.ts';
import { verifyCommand } from './verify.ts';

/** Adds every command to the program, in the order of the help text. */
export function addCommands(program: Command, context: CliContext): void {
  // An image's own profile sets what its tools need to work without a network; others are checked under the default.
  const runInside = (image: string, argv: readonly string[]) => {
    const { paths, cwd, uid } = context;
    const all = listProfiles({ paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) });
    const profile = all.some(({ name, origin }) => name === image && origin === 'shipped') ? image : 'default';
    return executeRun({ profile, overrides: {}, image, argv, output: 'capture', stdin: 'none' }, hostOf(context));
  };
  const commands = [
    runCommand(context),
    diffCommand(context),
    applyCommand(context),
    planCommand(context),
    profileCommand(context),
    imageCommand(context, runInside),
    verifyCommand(context),
    doctorCommand(context),
    setupCommand(context),
    gcCommand(context),
    receiptCommand(context),
    auditCommand(context),
    keyCommand(context),
    completionCommand(context, () => program),
  ];
  for (const command of commands) program.addCommand(command);
}
