// Owns the signals of stop and kill: their names, and sending one to the program of a sandbox.
import { constants } from 'node:os';
import { CofferdamError } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { selectEngine } from '../../engine/select.ts';
import { liveRunOf } from './entrance.ts';
import type { Sandbox } from './sandbox.ts';

/** `TERM` for `TERM`, `SIGTERM`, `term` and `15`. Throws VALUE_INVALID. */
export function parseSignal(text: string): string {
  const known = Object.entries(constants.signals);
  const asked = text.toUpperCase();
  const found = known.find(([name, number]) => name === asked || name === `SIG${asked}` || String(number) === asked);
  if (found !== undefined) return found[0].slice(3);
  const names = known.map(([name]) => name.slice(3));
  throw new CofferdamError('VALUE_INVALID', `"${printable(text, 40)}" is no signal${didYouMean(asked, names)}`, {
    remedy: 'name it as kill(1) does: TERM, USR1, KILL',
  });
}

/** Sends a signal to the program of a live run. False when the runtime knows no such run any more. */
export async function sendSignal(paths: Paths, sandbox: Sandbox, run: string, signal: string): Promise<boolean> {
  const { name } = sandbox.engine;
  const { life } = await selectEngine(name);
  if (life === undefined) throw new CofferdamError('ENGINE_CANNOT', `${name} cannot signal a sandbox`);
  const command = life.signal(liveRunOf(paths, { ...sandbox, run }), signal);
  if (command === undefined) return false;
  const [file = '', ...args] = command;
  const { exitCode } = await runTool(file, args, { timeoutMs: 60_000, accept: [0, 1] });
  return exitCode === 0;
}
