// Owns what V8 has met when the build keeps its bytecode (bundle.ts): what most commands do, in folders of nobody and without a sandbox.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runTool, runToolSync, streamTool } from '../base/exec.ts';
import { resolvePaths } from '../base/paths.ts';
import { isPublicSuffix } from '../policy/publicSuffix.ts';
import { validateSpec } from '../spec/validate.ts';
import { type CliContext, silentTerminal } from './context.ts';
import { createFirewall } from './firewall-program.ts';
import { createProgram } from './program.ts';
import type { ProgramMaker } from './tree.ts';

/** Each reads and judges; what it says, or refuses because there is nothing, is lost. */
const sandboxLines: readonly (readonly string[])[] = [
  ['profile', 'ls'],
  ['profile', 'show', 'python-tools'],
  ['image', 'ls'],
  ['ps'],
  ['inspect', 'none'],
  ['logs', 'none'],
  ['exec', 'none', '--', 'true'],
  ['stop', 'none'],
  ['receipt', 'show', 'none'],
  ['key', 'new'],
  ['audit', 'verify'],
  ['completion', 'bash'],
];
const firewallLines: readonly (readonly string[])[] = [['list'], ['explain', 'example.org'], ['denied'], ['log']];

function contextIn(home: string): CliContext {
  const install = dirname(dirname(import.meta.dirname));
  const { version } = JSON.parse(readFileSync(join(install, 'package.json'), 'utf8')) as { version: string };
  const env = { HOME: home };
  const uid = process.getuid?.() ?? -1;
  // Root's own folders are the host's; a build changes nothing there.
  const paths = { ...resolvePaths({ uid: 1000, env, install }), imageStores: [join(home, 'images')] };
  const signal = new AbortController().signal;
  const exit = () => undefined;
  return { paths, uid, gid: process.getgid?.() ?? -1, cwd: home, env, terminal: silentTerminal, version, signal, exit };
}

async function meet(create: ProgramMaker, context: CliContext, words: readonly string[]): Promise<void> {
  const program = await create(context, words[0]);
  await program.parseAsync(words, { from: 'user' }).catch(() => undefined);
}

/** Every way in which a child is started. */
async function startChildren(): Promise<void> {
  const env = {};
  await runTool('true', []);
  await runTool('cat', [], { input: 'text' });
  runToolSync('true', []);
  await runTool('false', []).catch(() => undefined);
  for (const stdin of ['ignore', 'hold', Buffer.from('bytes')] as const) {
    const child = streamTool('/bin/cat', [], { env, stdin, stdout: () => undefined, stderr: () => undefined });
    child.release();
    await child.ended;
  }
}

async function main(): Promise<void> {
  const context = contextIn(process.env['HOME'] ?? '/nonexistent');
  for (const [create, lines] of [
    [createProgram, sandboxLines],
    [createFirewall, firewallLines],
  ] as const) {
    const whole = await create(context);
    whole.helpInformation();
    for (const command of whole.commands) command.helpInformation();
    for (const words of lines) await meet(create, context, words);
  }
  await startChildren();
  isPublicSuffix('example.org');
  try {
    validateSpec({});
  } catch {
    // It is none.
  }
}

process.exitCode = 125;
main().then(
  () => {
    process.exitCode = 0;
  },
  (thrown) => void process.stderr.write(`${String(thrown)}\n`),
);
