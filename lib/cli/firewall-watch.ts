// Owns `firewall watch`: telling everybody on the host, as root, whether the wall still stands.

import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Command, createCommand } from 'commander';
import { ensureDirectory } from '../base/files.ts';
import { publishState } from '../firewall/published.ts';
import { watchFirewall } from '../firewall/watch.ts';
import { readClock } from '../policy/clock.ts';
import type { CliContext } from './context.ts';
import { requireRoot } from './firewall-apply.ts';
import { placesOf } from './firewall-model.ts';

async function watch(context: CliContext): Promise<void> {
  requireRoot(context, 'watch');
  const places = placesOf(context);
  const folder = dirname(places.published);
  ensureDirectory(folder, 0o711);
  chmodSync(folder, 0o711);
  let last: string | undefined;
  try {
    await watchFirewall({
      places,
      signal: context.signal,
      onState: (state) => {
        publishState(places.published, state, readClock());
        if (state !== last) context.terminal.err(`firewall: the wall is ${state}\n`);
        last = state;
      },
    });
  } catch (cause) {
    publishState(places.published, 'drifted', readClock());
    throw cause;
  }
}

/** The `watch` command. */
export function firewallWatchCommand(context: CliContext): Command {
  return createCommand('watch')
    .description(
      'Tell the runs of all users whether the wall stands, until stopped; systemd runs it once it is confirmed',
    )
    .addHelpText(
      'after',
      `
While it does not stand (a reload of the host's nftables.conf takes it away), no run gets a way out, and those that have
one lose it. Ended, this counts as such too: firewall off takes the wall away for good.

Example:
  sudo firewall watch`,
    )
    .action(() => watch(context));
}
