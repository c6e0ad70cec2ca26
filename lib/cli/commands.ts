// Owns the list of verbs of `sandbox`, in the order of the help text. Each is loaded when it is asked for: most need little of the whole.

import type { CliContext } from './context.ts';
import type { RunInside } from './image-check.ts';
import type { ProgramMaker, Verbs } from './tree.ts';

async function loadRunInside(context: CliContext): Promise<RunInside> {
  const { listProfiles } = await import('../profile/find.ts');
  const { loadHostConfig } = await import('../profile/hostConfig.ts');
  const { executeRun } = await import('../run/execute.ts');
  const { hostOf } = await import('./host.ts');
  // An image's own profile sets what its tools need to work without a network; others are checked under the default.
  return (image, argv) => {
    const { paths, cwd, uid } = context;
    const all = listProfiles({ paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) });
    const profile = all.some(({ name, origin }) => name === image && origin === 'shipped') ? image : 'default';
    return executeRun({ profile, overrides: {}, image, argv, output: 'capture', stdin: 'none' }, hostOf(context));
  };
}

/** Every verb of `sandbox`. `whole` makes the program with all of them. */
export function sandboxVerbs(context: CliContext, whole: ProgramMaker): Verbs {
  return {
    run: async () => (await import('./run.ts')).runCommand(context),
    create: async () => (await import('./create.ts')).createSandboxCommand(context),
    start: async () => (await import('./start.ts')).startCommand(context),
    attach: async () => (await import('./attach.ts')).attachCommand(context),
    exec: async () => (await import('./exec.ts')).execCommand(context),
    ps: async () => (await import('./ps.ts')).psCommand(context),
    inspect: async () => (await import('./ps.ts')).inspectCommand(context),
    wait: async () => (await import('./wait.ts')).waitCommand(context),
    logs: async () => (await import('./logs.ts')).logsCommand(context),
    cp: async () => (await import('./cp.ts')).cpCommand(context),
    stats: async () => (await import('./stats.ts')).statsCommand(context),
    pause: async () => (await import('./pause.ts')).pauseCommand(context),
    unpause: async () => (await import('./pause.ts')).unpauseCommand(context),
    stop: async () => (await import('./stop.ts')).stopCommand(context),
    kill: async () => (await import('./kill.ts')).killCommand(context),
    rm: async () => (await import('./rm.ts')).rmCommand(context),
    prune: async () => (await import('./rm.ts')).pruneCommand(context),
    diff: async () => (await import('./copy.ts')).diffCommand(context),
    apply: async () => (await import('./copy.ts')).applyCommand(context),
    plan: async () => (await import('./plan.ts')).planCommand(context),
    ports: async () => (await import('./ports.ts')).portsCommand(context),
    profile: async () => (await import('./profile.ts')).profileCommand(context),
    image: async () => (await import('./image.ts')).imageCommand(context, await loadRunInside(context)),
    verify: async () => (await import('./verify.ts')).verifyCommand(context),
    doctor: async () => (await import('./doctor.ts')).doctorCommand(context),
    engines: async () => (await import('./engines.ts')).enginesCommand(context),
    setup: async () => (await import('./setup.ts')).setupCommand(context),
    gc: async () => (await import('./gc.ts')).gcCommand(context),
    receipt: async () => (await import('./receipt.ts')).receiptCommand(context),
    audit: async () => (await import('./audit.ts')).auditCommand(context),
    key: async () => (await import('./key.ts')).keyCommand(context),
    completion: async () => (await import('./completion.ts')).completionCommand(context, () => whole(context)),
  };
}
