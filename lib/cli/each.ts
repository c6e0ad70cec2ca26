// Owns doing one thing to each of several sandboxes: one that fails does not keep the others from it.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { findSandbox, type Sandbox } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';

/**
 * Acts on every sandbox that is named, and prints each word that went well, as podman does. Those that there are not are no failure with `ignoreUnknown`. The failures are told at the end, as
 * one error; the exit status is that of the first.
 */
export async function forEachSandbox(
  context: CliContext,
  words: readonly string[],
  act: (sandbox: Sandbox) => Promise<void>,
  ignoreUnknown = false,
): Promise<void> {
  const failures: CofferdamError[] = [];
  for (const word of new Set(words)) {
    try {
      await act(findSandbox(context.paths, word));
      context.terminal.out(`${printable(word)}\n`);
    } catch (error) {
      if (!(error instanceof CofferdamError)) throw error;
      if (ignoreUnknown && error.code === 'SANDBOX_UNKNOWN') continue;
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) return;
  const { code, message, remedy, details } = first;
  throw new CofferdamError(code, message, {
    remedy,
    details: [...details, ...others.map((error) => error.message)],
    cause: first,
  });
}
