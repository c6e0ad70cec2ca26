// Owns the process of a command line that stays (commandLine.ts): each line of stdin is a call, each of stdout what came of one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { resolvePaths } from '../../lib/base/paths.ts';
import type { CliContext } from '../../lib/cli/context.ts';
import { reportError } from '../../lib/cli/process.ts';
import { createProgram } from '../../lib/cli/program.ts';
import type { Answer, Call } from './commandLine.ts';

const [, , install = ''] = process.argv;
const uid = process.getuid?.() ?? -1;
const { version } = JSON.parse(readFileSync(join(install, 'package.json'), 'utf8')) as { version: string };

async function answer({ number, args }: Call): Promise<Answer> {
  const said: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  let status = 0;
  const context: CliContext = {
    paths: resolvePaths({ uid, env: process.env, install }),
    uid,
    gid: process.getgid?.() ?? -1,
    cwd: process.cwd(),
    env: process.env,
    terminal: {
      out: (text) => void said.stdout.push(text),
      err: (text) => void said.stderr.push(text),
      outColour: false,
      errColour: false,
      inIsTerminal: false,
      outIsTerminal: false,
      errIsTerminal: false,
      write: async (stream, bytes) => void said[stream].push(Buffer.from(bytes).toString()),
    },
    version,
    signal: new AbortController().signal,
    exit: (given) => {
      status = given;
    },
  };
  try {
    const program = await createProgram(context, args[0]);
    await program.parseAsync(['node', 'sandbox', ...args]);
  } catch (error) {
    status = reportError(error, 'sandbox', context.terminal, false);
  }
  return { number, status, stdout: said.stdout.join(''), stderr: said.stderr.join('') };
}

process.umask(0o022);
for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line) as Call).then((given) => process.stdout.write(`${JSON.stringify(given)}\n`));
}
