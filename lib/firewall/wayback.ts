// Owns going back to the rules of before: now, or by a timer that nothing of ours has to survive.
import { closeSync, constants, openSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { runTool, startDetached, systemPath } from '../base/exec.ts';
import { diskError } from '../base/files.ts';
import type { FirewallPlaces, Pending } from './record.ts';

/**
 * Starts the timer: a shell in a session of its own, so that the end of a login, of this process or of its terminal does not
 * reach it. It takes the lock that we hold and so waits for the end of what we do. Throws TOOL_FAILED when it does not run.
 */
export async function startTimer(places: FirewallPlaces, { token }: Pending, afterMs: number): Promise<void> {
  let log: number;
  try {
    log = openSync(
      places.log,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
      0o600,
    );
  } catch (cause) {
    throw diskError(cause, `cannot open ${places.log}`);
  }
  try {
    const args = [places.goBack, String(Math.ceil(afterMs / 1000)), places.folder, token];
    const timer = startDetached('/bin/sh', args, {
      env: { PATH: systemPath, LANG: 'C.UTF-8' },
      stderr: log,
      result: log,
    });
    // One that ends at once did not start; a quarter of a second tells.
    const early = await Promise.race([
      timer.ended,
      new Promise<undefined>((done) => setTimeout(() => done(undefined), 250)),
    ]);
    if (early !== undefined && afterMs > 500) {
      throw new CofferdamError(
        'TOOL_FAILED',
        `the timer of the way back did not start: ${early.startError ?? early.exitCode}`,
      );
    }
    timer.forget();
  } finally {
    closeSync(log);
  }
}

/** Goes back at once; the caller holds the lock. Throws TOOL_FAILED when nft refuses the way back. */
export async function goBackNow(places: FirewallPlaces): Promise<void> {
  await runTool('/bin/sh', [places.goBack, 'now', places.folder]);
}
