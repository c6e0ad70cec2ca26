// Owns the promises of completion: the shell takes the script, and offers commands, options and the names there are.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { createProgram } from '../../lib/cli/program.ts';
import { quietContext } from './quietContext.ts';

async function printScript(shell: string): Promise<string> {
  let script = '';
  const out = (text: string) => {
    script += text;
  };
  const program = await createProgram(quietContext(out));
  await program.parseAsync(['completion', shell], { from: 'user' });
  return script;
}

test('bash offers commands, options, and the sandboxes that there are', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-completion-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'script');
  writeFileSync(file, await printScript('bash'));
  writeFileSync(join(folder, 'sandbox'), '#!/bin/sh\necho "$@" >>"$0.asked"; echo work; echo web', { mode: 0o755 });
  const complete = (...words: string[]) => {
    const script = `. "$0"; COMP_WORDS=(sandbox "$@"); COMP_CWORD=$#; _sandbox; printf '%s ' "\${COMPREPLY[@]}"`;
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    return execFileSync('bash', ['--norc', '-c', script, file, ...words], { env })
      .toString()
      .trim()
      .split(/\s+/);
  };
  t.same(complete('unp'), ['unpause']);
  t.same(complete('logs', '--ti'), ['--timestamps']);
  for (const verb of [
    'start',
    'attach',
    'diff',
    'apply',
    'exec',
    'logs',
    'inspect',
    'wait',
    'stop',
    'kill',
    'rm',
    'pause',
    'unpause',
    'stats',
  ])
    t.same(complete(verb, 'w'), ['work', 'web'], verb);
  t.same(complete('stop', 'work', 'we'), ['web']);
  t.same(complete('doctor', 'w'), [''], 'not where no name belongs');
});

test('fish and zsh get a script of their own', async (t) => {
  t.match(await printScript('fish'), /__fish_seen_subcommand_from stop' -a "\(sandbox ps/);
  t.match(await printScript('zsh'), /bashcompinit/);
});
