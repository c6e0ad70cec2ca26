// Owns commands of ours without a process of their own: under emulation most of a command's time is Node's start. Where the command line
// itself is what is proven, it is called (caller.ts).
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import type * as PathsFile from '../../../lib/base/paths.ts';
import type { CliContext } from '../../../lib/cli/context.ts';
import type * as FirewallFile from '../../../lib/cli/firewall-program.ts';
import type * as ProcessFile from '../../../lib/cli/process.ts';
import type * as SandboxFile from '../../../lib/cli/program.ts';
import { env, findLeaves, recordOf, who } from './caller.ts';

const install = '/opt/cofferdam';
const load = async <T>(name: string) => (await import(`${install}/dist/${name}`)) as T;

async function grow(tool: 'sandbox' | 'firewall', context: CliContext, verb: string | undefined) {
  if (tool === 'firewall')
    return (await load<typeof FirewallFile>('cli/firewall-program.js')).createFirewall(context, verb);
  return (await load<typeof SandboxFile>('cli/program.js')).createProgram(context, verb);
}

/** What `sandbox` or `firewall ARGUMENTS` prints, and its exit status. Not for what passes the output of a program on. */
export async function ask(tool: 'sandbox' | 'firewall', args: readonly string[]) {
  enableCompileCache(env.NODE_COMPILE_CACHE);
  const started = Date.now();
  const said = { out: '', err: '' };
  let status = 0;
  const { resolvePaths } = await load<typeof PathsFile>('base/paths.js');
  const uid = process.getuid?.() ?? -1;
  const context: CliContext = {
    paths: resolvePaths({ uid, env, install }),
    uid,
    gid: process.getgid?.() ?? -1,
    cwd: process.cwd(),
    env,
    version: (JSON.parse(readFileSync(`${install}/package.json`, 'utf8')) as { version: string }).version,
    signal: new AbortController().signal,
    exit: (value) => {
      status = value;
    },
    terminal: {
      out: (text) => {
        said.out += text;
      },
      err: (text) => {
        said.err += text;
      },
      write: async (stream, bytes) => {
        said[stream === 'stdout' ? 'out' : 'err'] += Buffer.from(bytes).toString('utf8');
      },
      outColour: false,
      errColour: false,
      inIsTerminal: false,
      outIsTerminal: false,
      errIsTerminal: false,
    },
  };
  try {
    const program = await grow(tool, context, args[0]);
    await program.parseAsync(['node', tool, ...args]);
  } catch (thrown) {
    const { reportError } = await load<typeof ProcessFile>('cli/process.js');
    status = reportError(thrown, tool, context.terminal, true);
  }
  return { status, stdout: said.out, stderr: said.err, ms: Date.now() - started };
}

/** A run whose program's output is captured: as run() of caller.ts tells it. */
export async function askRun(name: string, args: readonly string[]) {
  const id = `${who}-${name}`;
  const asked = await ask('sandbox', ['run', '--json', '--id', id, ...args]);
  return { ...unfold(asked), record: recordOf(id), left: findLeaves(id) };
}

/** What the program printed, in place of the result that holds it. */
export function unfold<T extends Awaited<ReturnType<typeof ask>>>(asked: T): T {
  if (!asked.stdout.startsWith('{')) return asked;
  const { stdout, stderr } = JSON.parse(asked.stdout) as { stdout: string; stderr: string };
  return { ...asked, stdout, stderr: `${stderr}${asked.stderr}` };
}
