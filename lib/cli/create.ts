// Owns `sandbox create`: making a sandbox that lives on, and starting it where that is asked for.
import { type Command, createCommand } from 'commander';
import { createSandbox } from '../run/life/create.ts';
import { removeSandbox } from '../run/life/remove.ts';
import { startSandbox } from '../run/life/start.ts';
import type { CliContext } from './context.ts';
import { hostOf } from './host.ts';
import { repeatable } from './repeatable.ts';

export interface CreateFlags {
  profile: string;
  name?: string;
  workspace?: string;
  tty?: true;
  interactive?: true;
  env: string[];
  label: string[];
  publish: string[];
  ttl?: string;
  idle?: string;
  memory?: string;
  cpus?: string;
  pids?: string;
  engine?: string;
  isolation?: string;
  network?: string;
  tool?: string;
  start?: true;
}

const examples = `
Examples:
  sandbox create --profile python-tools --name work --start
  sandbox exec work -- python3 -c 'print("hello")'
  sandbox create -p python-tools --name fix --workspace ./project:copy --start   # then: sandbox stop fix; sandbox diff fix
  sandbox create -p base-tools --name shell -it -- bash; sandbox start -a shell
  sandbox create -p node-tools --ttl 2h --idle 10m --label task=7 -- node server.js
  sandbox create -p node-tools --name web --publish 3000 --start -- node server.js   # see: sandbox inspect web
  sandbox create -p base-tools --name net --network proxy --tool web.search@v1 --start; sandbox exec net -- curl https://example.org

Without a command it runs one that only waits, to be executed into. Without --ttl it ends when the
host's ceiling says so (limits.timeout), and in any case with the service or container that this command
was started in. A workspace is looked through when it has ended (rw), or copied anew at each start (copy).`;

async function createAction(command: string[], flags: CreateFlags, context: CliContext): Promise<void> {
  const host = hostOf(context);
  const { profile, workspace, name, ttl, idle, memory, cpus, pids, engine, isolation, network, tool } = flags;
  const { env, label, publish, tty = false, interactive = false } = flags;
  const overrides = { memory, cpus, pids, engine, isolation, network, tool, env, labels: label, publish };
  const request = { profile, workspace, name, ttl, idle, command, overrides, tty, interactive };
  const sandbox = await createSandbox(request, host);
  if (flags.start === true) {
    try {
      await startSandbox(sandbox, host);
    } catch (error) {
      // Nobody has its id yet.
      await removeSandbox(sandbox, host, true);
      throw error;
    }
  }
  context.terminal.out(`${sandbox.id}\n`);
}

/** The command; words after the options, or after `--`, are the program's. */
export function createSandboxCommand(context: CliContext): Command {
  return createCommand('create')
    .description('Make a sandbox that lives on, to be started and executed into; prints its id')
    .argument('[command...]', 'the program and its arguments; otherwise one that only waits')
    .requiredOption('-p, --profile <name>', 'profile name, or a path to a file')
    .option('--name <name>', 'a name; chosen for you otherwise')
    .option('--start', 'start it at once')
    .option(
      '-w, --workspace <dir[:mode]>',
      'host folder at /workspace: ro (default), rw, or copy (see sandbox diff, apply)',
    )
    .option('-i, --interactive', 'its program takes what sandbox attach passes on; otherwise its input is empty')
    .option('-t, --tty', 'its program gets a terminal of its own')
    .option('-e, --env <name=value>', 'environment variable; repeatable; secrets are refused', repeatable, [])
    .option('-l, --label <name=value>', 'label, to find it by; repeatable', repeatable, [])
    .option(
      '--publish <port>',
      '[NAME:|PORT:]PORT-INSIDE: lead a registered port of this host inside; repeatable',
      repeatable,
      [],
    )
    .option('--ttl <duration>', 'end it so long after its start, such as 2h')
    .option('--idle <duration>', 'end it after so long without output and without an exec')
    .option('--memory <size>', 'memory and swap, such as 512m')
    .option('--cpus <number>', 'cores, such as 0.5')
    .option('--pids <number>', 'processes and threads')
    .option('--engine <name>', 'engine; it must be one that keeps sandboxes')
    .option('--isolation <tier>', 'gvisor: a kernel of its own in user space, by runsc')
    .option('--network <mode>', 'none, or proxy: what firewall.yaml allows may be reached')
    .option('--tool <id>', 'whose egress rules apply beside those of the profile, such as web.search@v1')
    .passThroughOptions()
    .addHelpText('after', examples)
    .action((command: string[], flags: CreateFlags) => createAction(command, flags, context));
}
