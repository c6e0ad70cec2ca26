// Owns commands of ours without a process of their own: under emulation most of a command's time is Node's start. Where the command line
// itself is what is proven, it is called (caller.ts).
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import type * as PathsFile from '../../../lib/base/paths.ts';
import type * as FirewallFile from '../../../lib/cli/firewall-program.ts';
import type * as ProcessFile from '../../../lib/cli/process.ts';
import type * as SandboxFile from '../../../lib/cli/program.ts';
import { env, findLeaves, recordOf, who } from './caller.ts';
import { callInProcess } from './inProcess.ts';

const install = '/opt/cofferdam';
const load = async <T>(name: string) => (await import(`${install}/dist/${name}`)) as T;

async function findProgram(name: 'sandbox' | 'firewall') {
  if (name === 'firewall') return (await load<typeof FirewallFile>('cli/firewall-program.js')).createFirewall;
  return (await load<typeof SandboxFile>('cli/program.js')).createProgram;
}

/** What `sandbox` or `firewall ARGUMENTS` prints, and its exit status. Not for what passes the output of a program on. */
export async function ask(name: 'sandbox' | 'firewall', args: readonly string[]) {
  enableCompileCache(env.NODE_COMPILE_CACHE);
  const started = Date.now();
  const { resolvePaths } = await load<typeof PathsFile>('base/paths.js');
  const { reportError } = await load<typeof ProcessFile>('cli/process.js');
  const paths = resolvePaths({ uid: process.getuid?.() ?? -1, env, install });
  const { version } = JSON.parse(readFileSync(`${install}/package.json`, 'utf8')) as { version: string };
  const command = { name, create: await findProgram(name), reportError, paths, env, version, debug: true };
  return { ...(await callInProcess(command, args)), ms: Date.now() - started };
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
