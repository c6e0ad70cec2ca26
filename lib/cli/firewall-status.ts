// Owns `firewall status`: whether the host has the rules that were applied, and what differs.
import { type Command, createCommand } from 'commander';
import { printable } from '../base/printable.ts';
import { examineFirewall, type FirewallStatus } from '../firewall/status.ts';
import type { CliContext } from './context.ts';
import { placesOf } from './firewall-model.ts';
import { printJson } from './print.ts';

const mostLines = 200;

function describe({ state, drift, pending, persistent, counters }: FirewallStatus, now: number): string[] {
  const kept = persistent ? 'the next boot loads it' : 'the next boot does not load it: firewall confirm';
  const texts = {
    verified: [`in force as applied; ${kept}`],
    drifted: ['DRIFTED: the host has other rules than were applied; put them back: firewall apply'],
    absent: ['off: nothing was applied, and there is no table'],
  };
  const differing = [
    ...drift.missing.map((line) => `- ${printable(line, 400)}`),
    ...drift.extra.map((line) => `+ ${printable(line, 400)}`),
  ];
  const left = differing.length - mostLines;
  return [
    ...texts[state],
    ...(pending === undefined
      ? []
      : [
          `waits for its confirmation, ${Math.max(0, Math.ceil((pending.until - now) / 1000))} s more: firewall confirm`,
        ]),
    ...differing.slice(0, mostLines),
    ...(left > 0 ? [`… and ${left} more`] : []),
    ...[...counters]
      .filter(([, packets]) => packets > 0)
      .map(([name, packets]) => `${printable(name, 60)}: ${packets} packets`),
  ];
}

/** The `status` command. */
export function firewallStatusCommand(context: CliContext): Command {
  return createCommand('status')
    .description('Whether the host has the rules that were applied; exit 1 and what differs when it has others')
    .option('--json', 'print {state, drift: {missing, extra}, pendingUntil, persistent, counters}')
    .addHelpText('after', '\nExample:\n  sudo firewall status')
    .action(async ({ json }: { json?: true }) => {
      const { terminal } = context;
      const status = await examineFirewall(placesOf(context));
      const { state, drift, pending, persistent, counters } = status;
      if (json === true) {
        const pendingUntil = pending === undefined ? null : new Date(pending.until).toISOString();
        printJson(terminal, { state, drift, pendingUntil, persistent, counters: Object.fromEntries(counters) });
      } else for (const line of describe(status, Date.now())) terminal.out(`${line}\n`);
      if (state === 'drifted') context.exit(1);
    });
}
