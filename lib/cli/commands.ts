// Owns the list of commands.
import type { Command } from 'commander';
import { listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { executeRun } from '../run/execute.ts';
import { attachCommand } from './attach.ts';
import { auditCommand } from './audit.ts';
import { completionCommand } from './completion.ts';
import type { CliContext } from './context.ts';
import { applyCommand, diffCommand } from './copy.ts';
import { cpCommand } from './cp.ts';
import { createSandboxCommand } from './create.ts';
import { doctorCommand } from './doctor.ts';
import { enginesCommand } from './engines.ts';
import { execCommand } from './exec.ts';
import { gcCommand } from './gc.ts';
import { hostOf } from './host.ts';
import { imageCommand } from './image.ts';
import { keyCommand } from './key.ts';
import { killCommand } from './kill.ts';
import { logsCommand } from './logs.ts';
import { pauseCommand, unpauseCommand } from './pause.ts';
import { planCommand } from './plan.ts';
import { portsCommand } from './ports.ts';
import { profileCommand } from './profile.ts';
import { inspectCommand, psCommand } from './ps.ts';
import { receiptCommand } from './receipt.ts';
import { pruneCommand, rmCommand } from './rm.ts';
import { runCommand } from './run.ts';
import { setupCommand } from './setup.ts';
import { startCommand } from './start.ts';
import { statsCommand } from './stats.ts';
import { stopCommand } from './stop.ts';
import { verifyCommand } from './verify.ts';
import { waitCommand } from './wait.ts';

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
    createSandboxCommand(context),
    startCommand(context),
    attachCommand(context),
    execCommand(context),
    psCommand(context),
    inspectCommand(context),
    waitCommand(context),
    logsCommand(context),
    cpCommand(context),
    statsCommand(context),
    pauseCommand(context),
    unpauseCommand(context),
    stopCommand(context),
    killCommand(context),
    rmCommand(context),
    pruneCommand(context),
    diffCommand(context),
    applyCommand(context),
    planCommand(context),
    portsCommand(context),
    profileCommand(context),
    imageCommand(context, runInside),
    verifyCommand(context),
    doctorCommand(context),
    enginesCommand(context),
    setupCommand(context),
    gcCommand(context),
    receiptCommand(context),
    auditCommand(context),
    keyCommand(context),
    completionCommand(context, () => program),
  ];
  for (const command of commands) program.addCommand(command);
}
