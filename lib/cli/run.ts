// Owns `sandbox run`: its options, what it prints, its exit status. bin/sandbox answers the plain cases without us.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { executeRun } from '../run/execute.ts';
import { preparePlan } from '../run/prepare.ts';
import { type RunResult, refusedResult } from '../run/result.ts';
import type { CliContext } from './context.ts';
import { hostOf } from './host.ts';
import { printPlan } from './plan.ts';
import { printJson } from './print.ts';
import { repeatable } from './repeatable.ts';
import { tellDenied } from './run-denied.ts';
import { requireTerminal } from './terminal.ts';

interface RunFlags {
  profile?: string;
  json?: true;
  workspace?: string;
  env: string[];
  label: string[];
  publish: string[];
  stdin?: true;
  tty?: true;
  timeout?: string;
  memory?: string;
  cpus?: string;
  pids?: string;
  engine?: string;
  isolation?: string;
  network?: string;
  tool?: string;
  artifacts?: string;
  id?: string;
  taskId?: string;
  jobId?: string;
  dryRun?: true;
}

const examples = `
Examples:
  sandbox run --profile base-tools -- uname -a
  sandbox run --profile python-tools -- python3 -c 'print(6 * 7)'
  sandbox run --profile python-tools --workspace ./project:copy -- pytest -q     # then: sandbox diff RUN
  sandbox run --profile node-tools --workspace ./app:rw -- npm test
  sandbox run --profile python-tools --publish 8000 -- python3 -m http.server 8000
  echo data | sandbox run --profile base-tools --stdin -- wc -c
  sandbox run --profile base-tools -it -- bash
  sandbox run --profile base-tools --network proxy -- curl https://example.org  # firewall allow example.org
  sandbox run --profile base-tools --json --timeout 30s -- sh -c 'echo out; echo err >&2'

Exit status:
  the program's own; 128+n when a signal ended it; 124 timeout; 137 out of memory (or killed);
  125 we failed; 126 the command cannot be executed; 127 it was not found; 2 bad usage.`;

/** A run's remarks for a person: what was cut, refused, set aside. On stderr, after the program's own. */
function remark(context: CliContext, result: RunResult, flags: RunFlags): void {
  const say = (text: string) => context.terminal.err(`sandbox: ${text}\n`);
  for (const { path, kept } of result.workspace.setAside)
    say(`set aside, because it would run code on this host: ${path} → ${kept}`);
  for (const { path, why } of result.artifactsRefused.slice(0, 20))
    say(`artifact not copied: ${printable(path)}: ${printable(why)}`);
  if (result.workspace.copy)
    say(`review the changes: sandbox diff ${result.id}; take them over: sandbox apply ${result.id}`);
  if (flags.artifacts !== undefined) say(`${result.artifacts.length} artifacts in ${printable(flags.artifacts)}`);
}

// commander takes an unknown option before the first word for the program; a program's name never starts with a dash.
function checkCommand(
  argv: readonly string[],
  flags: RunFlags,
  command: Command,
): asserts flags is RunFlags & { profile: string } {
  const [first = ''] = argv;
  const remedy = 'see: sandbox run --help';
  if (first.startsWith('-')) {
    const name = first.split('=')[0] ?? first;
    const known = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
    throw new CofferdamError('USAGE', `unknown option ${printable(name, 60)}${didYouMean(name, known)}`, { remedy });
  }
  if (flags.profile === undefined) {
    throw new CofferdamError('USAGE', 'which profile? Name one with --profile', { remedy: 'see: sandbox profile ls' });
  }
}

function checkTerminal({ tty, json, stdin }: RunFlags, { terminal }: CliContext): void {
  if (tty !== true) return;
  if (json === true)
    throw new CofferdamError('USAGE', '--json captures the output, so there is no terminal', {
      remedy: 'leave -t out',
    });
  requireTerminal(terminal, stdin === true);
}

async function runAction(argv: string[], flags: RunFlags, context: CliContext, command: Command): Promise<void> {
  checkCommand(argv, flags, command);
  if (flags.dryRun !== true) checkTerminal(flags, context);
  const host = hostOf(context);
  const { memory, cpus, pids, timeout, engine, isolation, network, tool, env, label, publish } = flags;
  const wish = {
    profile: flags.profile,
    overrides: { memory, cpus, pids, timeout, engine, isolation, network, tool, env, labels: label, publish },
    workspace: flags.workspace,
    terminal: flags.tty === true,
  };
  if (flags.dryRun === true) {
    const prepared = await preparePlan({ ...wish, collectsArtifacts: flags.artifacts !== undefined }, host);
    prepared.workspace?.claim.release();
    printPlan(context, prepared.plan, flags.json === true ? 'json' : 'summary');
    return;
  }
  const json = flags.json === true;
  const result = await executeRun(
    {
      ...wish,
      argv,
      id: flags.id,
      taskId: flags.taskId,
      jobId: flags.jobId,
      artifacts: flags.artifacts,
      output: json ? 'capture' : 'inherit',
      stdin: flags.stdin === true ? 'inherit' : 'none',
    },
    host,
  );
  if (result.receiptProblem !== undefined) {
    context.terminal.err(
      `sandbox: no receipt yet: ${printable(result.receiptProblem, 300)}\n  sandbox receipt show ${result.id}\n`,
    );
  }
  if (json) printJson(context.terminal, result);
  else {
    remark(context, result, flags);
    await tellDenied(context, result);
  }
  context.exit(result.exitCode ?? 125);
}

/** The command; words after the options, or after `--`, are the program's. */
export function runCommand(context: CliContext): Command {
  return (
    createCommand('run')
      .description('Run one command in a fresh sandbox and pass on its output and exit status')
      .argument('<command...>', 'the program and its arguments')
      .option('-p, --profile <name>', 'profile name, or a path to a file (required)')
      .option('--json', 'print one JSON object instead of the output; output is bounded by the profile')
      .option(
        '-w, --workspace <dir[:mode]>',
        'host folder at /workspace: ro (default), rw, or copy (see sandbox diff, apply)',
      )
      .option('-e, --env <name=value>', 'environment variable; repeatable; secrets are refused', repeatable, [])
      .option(
        '--publish <port>',
        '[NAME:|PORT:]PORT-INSIDE: lead a registered port of this host inside; repeatable',
        repeatable,
        [],
      )
      .option('-i, --stdin', 'pass our standard input on; otherwise the program has an empty one')
      .option('-t, --tty', 'give the program a terminal of its own; with -i it is used through ours')
      .option('--timeout <duration>', 'wall-clock limit, such as 30s or 5m')
      .option('--memory <size>', 'memory and swap, such as 512m')
      .option('--cpus <number>', 'cores, such as 0.5')
      .option('--pids <number>', 'processes and threads')
      .option('--engine <name>', 'crun, podman, nerdctl or docker')
      .option('--isolation <tier>', 'gvisor: a kernel of its own in user space, by runsc')
      .option('--network <mode>', 'none, or proxy: what firewall.yaml allows may be reached')
      .option('--tool <id>', 'whose egress rules apply beside those of the profile, such as web.search@v1')
      .option('--artifacts <dir>', 'copy what the program leaves in /artifacts to this new or empty folder')
      .option('--id <id>', 'id of the run; made for you otherwise')
      .option('--task-id <id>', 'passed on as SANDBOX_TASK_ID and recorded')
      .option('--job-id <id>', 'passed on as SANDBOX_JOB_ID and recorded')
      .option('--label <name=value>', 'label in the result; repeatable', repeatable, [])
      .option('--dry-run', 'compile and print the plan; start nothing')
      .passThroughOptions()
      // So that checkCommand names the nearest option, also for `--memroy=1g`.
      .allowUnknownOption()
      .addHelpText('after', examples)
      .action(async (argv: string[], flags: RunFlags, command: Command) => {
        try {
          await runAction(argv, flags, context, command);
        } catch (error) {
          if (flags.json !== true || !(error instanceof CofferdamError)) throw error;
          printJson(context.terminal, refusedResult(error, flags.id, Date.now()));
          context.exit(error.exit);
        }
      })
  );
}
