// Owns running nft(8): listing our table, checking and loading scripts. It names no other table of the host.
import { CofferdamError, messageOf } from '../base/errors.ts';
import { type ExecResult, runTool } from '../base/exec.ts';
import { readState, type TableState } from './state.ts';

// A table of 100,000 elements is listed in about 4 MiB.
const maxBytes = 64 << 20;
const listing = ['-j', 'list', 'table', 'inet', 'cofferdam'] as const;

function denied(cause: unknown): unknown {
  if (!/not permitted|Permission denied/i.test(messageOf(cause))) return cause;
  return new CofferdamError('HOST_UNPREPARED', 'reading and changing the host firewall takes root', {
    cause,
    remedy: 'the same as root: sudo firewall …',
  });
}

async function nft(args: readonly string[], input?: string): Promise<ExecResult> {
  try {
    return await runTool('nft', args, { maxBytes, ...(input === undefined ? {} : { input }) });
  } catch (cause) {
    throw denied(cause);
  }
}

/** The listing of our table as nft's JSON; undefined when there is none. Throws HOST_UNPREPARED without root. */
export async function listTable(): Promise<string | undefined> {
  try {
    return (await nft(listing)).stdout;
  } catch (cause) {
    if (/No such file or directory/.test(messageOf(cause))) return undefined;
    throw cause;
  }
}

/** The table as the kernel has it, in its normal form; empty when there is none. */
export async function readLive(): Promise<TableState> {
  const json = await listTable();
  return json === undefined ? [] : readState(json);
}

/** A script that makes our table as it is now; `undefined` when there is none. */
export async function dumpTable(): Promise<string | undefined> {
  return (await listTable()) === undefined
    ? undefined
    : (await nft(['-s', 'list', 'table', 'inet', 'cofferdam'])).stdout;
}

/**
 * What the kernel makes of `script`, learnt in a network namespace that nothing else is in and that ends with the call: the
 * same listing as on the host, whatever nft merges, sorts or renames. Throws as nft does for a script that does not load.
 */
export async function learnState(script: string): Promise<TableState> {
  const both = `nft -f - && exec nft ${listing.join(' ')}`;
  const { stdout } = await runTool('unshare', ['--net', '--', 'sh', '-c', both], { input: script, maxBytes }).catch(
    (cause: unknown) => {
      throw denied(cause);
    },
  );
  return readState(stdout);
}

/** Throws TOOL_FAILED with nft's words when the host would not take `script`. Changes nothing. */
export async function checkScript(script: string): Promise<void> {
  await nft(['-c', '-f', '-'], script);
}

/** Loads `script` in one transaction: all of it or, throwing TOOL_FAILED, nothing. */
export async function loadScript(script: string): Promise<void> {
  await nft(['-f', '-'], script);
}
