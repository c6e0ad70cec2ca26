// Owns what a person is told when a sandbox with a folder of the host has ended.
import { printable } from '../base/printable.ts';
import { readCopy } from '../run/copy.ts';
import { runFolders } from '../run/folders.ts';
import { finishSandbox } from '../run/life/finish.ts';
import type { Sandbox } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';

/** Has the folder of an ended sandbox looked through, and says on stderr what became of it. */
export async function finishAndTell({ paths, terminal }: CliContext, sandbox: Sandbox): Promise<void> {
  const { setAside, due } = await finishSandbox(paths, sandbox);
  const say = (text: string) => terminal.err(`sandbox: ${text}\n`);
  for (const { path, kept } of setAside)
    say(`set aside, because it would run code on this host: ${path} → ${printable(kept, 4096)}`);
  if (due) say(`${printable(sandbox.workspace.source ?? '', 4096)} was not looked through yet: sandbox gc`);
  const { run } = sandbox;
  const copy = run === null ? undefined : readCopy(runFolders(paths).copies, run);
  if (copy !== undefined && copy.appliedMs === undefined)
    say(`review the changes: sandbox diff ${run}; take them over: sandbox apply ${run}`);
}
