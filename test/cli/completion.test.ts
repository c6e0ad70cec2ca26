// Owns the promises of completion: each shell takes its script, and offers commands, options, their values and the names there are.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { createProgram } from '../../lib/cli/program.ts';
import { quietContext } from './quietContext.ts';

export const needs = ['bash', 'zsh', 'fish'];

async function printScript(shell: string): Promise<string> {
  let script = '';
  const out = (text: string) => {
    script += text;
  };
  const program = await createProgram(quietContext(out));
  await program.parseAsync(['completion', shell], { from: 'user' });
  return script;
}

/** A folder with the script for `shell`, and a `sandbox` that knows two names. */
async function makeFolder(t: Test, shell: string): Promise<{ folder: string; script: string; env: { PATH: string } }> {
  const folder = t.testdir({});
  const script = join(folder, 'script');
  writeFileSync(script, await printScript(shell));
  writeFileSync(join(folder, 'sandbox'), '#!/bin/sh\necho work; echo web', { mode: 0o755 });
  return { folder, script, env: { PATH: `${folder}:/usr/bin:/bin` } };
}

type Complete = (...words: string[]) => Promise<string[]>;

/** What all shells offer alike. */
async function showOffers(t: Test, complete: Complete): Promise<void> {
  t.same(await complete('unp'), ['unpause']);
  t.same(await complete('logs', '--ti'), ['--timestamps']);
  t.same(await complete('image', 'bui'), ['build']);
  t.same(await complete('image', 'build', 'py'), ['python-tools']);
  t.same(await complete('verify', '-p', 'py'), ['python-tools'], 'what a flag may say');
  t.same(await complete('verify', '--engine', 'po'), ['podman']);
  t.same(await complete('plan', '--format', 'lau'), ['launch'], 'choices of the tree');
  const verbs = 'start attach diff apply exec logs inspect wait stop kill rm pause unpause stats';
  for (const verb of verbs.split(' ')) t.same(await complete(verb, 'w'), ['web', 'work'], verb);
  t.same(await complete('stop', 'work', 'we'), ['web']);
  t.same(await complete('-x', 'rm', 'w'), ['web', 'work'], 'a flag before');
  t.same(await complete('doctor', 'wo'), [], 'not where no name belongs');
}

test('bash', async (t) => {
  const { script, env } = await makeFolder(t, 'bash');
  const play = `. "$0"; COMP_WORDS=(sandbox "$@"); COMP_CWORD=$#; _sandbox; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const complete: Complete = async (...words) => {
    const { stdout } = await runTool('bash', ['--norc', '-c', play, script, ...words], { env });
    return stdout.split('\n').filter(Boolean).sort();
  };
  await showOffers(t, complete);
  t.same(await complete('run', '-w', ''), [], 'a folder is for the shell to find');
});

test('fish', async (t) => {
  const { folder, script, env } = await makeFolder(t, 'fish');
  const play = 'source $argv[1]; complete -C (string join " " -- sandbox $argv[2..-1])';
  const complete: Complete = async (...words) => {
    const options = { env: { ...env, HOME: folder, XDG_CONFIG_HOME: folder }, cwd: folder };
    const { stdout } = await runTool('fish', ['--no-config', '-c', play, script, ...words], options);
    const offered = stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
    return offered.filter(Boolean).sort();
  };
  await showOffers(t, complete);
  t.same(await complete('run', '-w', 'scr'), ['script'], 'a folder or file of the host');
});

// Each key is typed at a real prompt; what stands behind the line then is waited for.
const typing = `
zmodload zsh/zpty
zpty typed "zsh -f -i"
zpty -r typed heard '*[#%] ' || exit 1
zpty -w typed "PS1='ready: '; source $1"
zpty -r typed heard '*ready: *' || exit 1
shift
for line; do
  zpty -w -n typed $line$'\\t'
  zpty -r typed heard "*\${line}[a-z-]## *" || exit 1
  print -r -- \${\${heard%% }##* }
  zpty -w -n typed $'\\C-u'
done
zpty -d typed`;

test('zsh', async (t) => {
  const { folder, script, env } = await makeFolder(t, 'zsh');
  // compadd judges what is typed; here the words are judged by us.
  const play = `compadd() { shift; print -rl -- "$@"; }; _default() { :; }; compdef() { :; }
    . "$0"; words=(sandbox "$@"); CURRENT=$(($# + 1)); _sandbox`;
  const options = { env: { ...env, HOME: folder, TERM: 'dumb' }, cwd: folder };
  const complete: Complete = async (...words) => {
    const { stdout } = await runTool('zsh', ['-f', '-c', play, script, ...words], options);
    const last = words.at(-1) ?? '';
    return stdout
      .split('\n')
      .filter((word) => word !== '' && word.startsWith(last))
      .sort();
  };
  await showOffers(t, complete);
  const lines = ['sandbox unp', 'sandbox run -p py', 'sandbox stop wo', 'cofferdam image bui'];
  const { stdout } = await runTool('zsh', ['-f', '-o', 'extendedglob', '-c', typing, 'zsh', script, ...lines], options);
  t.same(stdout.trim().split('\n'), ['unpause', 'python-tools', 'work', 'build']);
});
