// Owns the process of a command line that stays (commandLine.ts): each line of stdin is a call, each of stdout what came of one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { resolvePaths } from '../../lib/base/paths.ts';
import { reportError } from '../../lib/cli/process.ts';
import { createProgram as create } from '../../lib/cli/program.ts';
import { callInProcess } from '../vmhost/guest/inProcess.ts';
import type { Answer, Call } from './commandLine.ts';

const [, , install = ''] = process.argv;
const { env } = process;
const paths = resolvePaths({ uid: process.getuid?.() ?? -1, env, install });
const { version } = JSON.parse(readFileSync(join(install, 'package.json'), 'utf8')) as { version: string };

async function answer({ number, args }: Call): Promise<Answer> {
  const command = { name: 'sandbox', create, reportError, paths, env, version, debug: false } as const;
  return { number, ...(await callInProcess(command, args)) };
}

process.umask(0o022);
for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line) as Call).then((given) => process.stdout.write(`${JSON.stringify(given)}\n`));
}
