// Owns `sandbox plan`: printing what a run would execute.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, createCommand, Option } from 'commander';
import { formatSize } from '../base/units.ts';
import type { Plan } from '../run/plan.ts';
import { preparePlan } from '../run/prepare.ts';
import type { CliContext } from './context.ts';
import { hostOf } from './host.ts';
import { printJson } from './print.ts';

type PlanFormat = 'summary' | 'json' | 'launch' | 'config';

/** A plan for a person, a machine, or as the files that would be executed. */
export function printPlan(context: CliContext, plan: Plan, format: PlanFormat): void {
  const { terminal } = context;
  if (format === 'launch' || format === 'config') {
    terminal.out(readFileSync(join(plan.directory, format === 'launch' ? 'launch' : 'config.json'), 'utf8'));
    return;
  }
  const inputs: unknown = JSON.parse(readFileSync(join(plan.directory, 'inputs.json'), 'utf8'));
  if (format === 'json') {
    printJson(terminal, { digest: plan.digest, directory: plan.directory, engine: plan.engine, inputs });
    return;
  }
  const { limits, network, ports, user, workspace } = plan.profile;
  const lines = [
    ['plan', plan.digest],
    ['folder', plan.directory],
    ['profile', plan.profileName],
    ['image', plan.profile.image.name],
    ['engine', `${plan.engine.name} ${plan.engine.version}`],
    ['user', `${user.uid}:${user.gid}`],
    ['workspace', workspace.mode],
    ['network', network.mode],
    ...ports.map(({ container }) => ['port', `${container} inside`]),
    [
      'limits',
      `memory ${formatSize(limits.memory)}, cpus ${limits.cpus}, pids ${limits.pids}, timeout ${limits.timeout / 1000} s`,
    ],
    ...plan.engine.weaknesses.map((text) => ['weakness', text]),
  ];
  for (const [name = '', value = ''] of lines) terminal.out(`${name.padEnd(10)} ${value}\n`);
}

/** `sandbox plan --profile P [--format F]`: compiles, prints, starts nothing. */
export function planCommand(context: CliContext): Command {
  return createCommand('plan')
    .description('Compile a plan and print it: what a run of this profile executes')
    .requiredOption('-p, --profile <name>', 'profile name, or a path to a file')
    .option('-w, --workspace <dir[:mode]>', 'as in sandbox run')
    .addOption(
      new Option('--format <format>', 'what to print')
        .choices(['summary', 'json', 'launch', 'config'])
        .default('summary'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox plan --profile python-tools\n  sandbox plan --profile python-tools --format launch | less',
    )
    .action(async (flags: { profile: string; workspace?: string; format: PlanFormat }) => {
      const wish = { profile: flags.profile, overrides: {}, workspace: flags.workspace, collectsArtifacts: false };
      const prepared = await preparePlan(wish, hostOf(context));
      prepared.workspace?.claim.release();
      printPlan(context, prepared.plan, flags.format);
    });
}
