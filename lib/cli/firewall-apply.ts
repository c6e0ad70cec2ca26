// Owns `firewall apply | confirm | rollback | off`: changing the host's table, as root.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { formatDuration, parseDuration } from '../base/units.ts';
import { applyFirewall, confirmFirewall, removeFirewall, rollBack } from '../firewall/apply.ts';
import { renderNftables } from '../firewall/render.ts';
import type { CliContext } from './context.ts';
import { disableBoot, enableBoot } from './firewall-boot.ts';
import { hostPaths, placesOf, readModel, readStaticRules } from './firewall-model.ts';

const [least, most] = [1000, 3_600_000];

function readConfirm(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms >= least && ms <= most) return ms;
  throw new CofferdamError('VALUE_INVALID', `--confirm: from ${formatDuration(least)} to ${formatDuration(most)}`);
}

/** Throws HOST_UNPREPARED for anybody else. */
export function requireRoot({ uid }: CliContext, verb: string): void {
  if (uid === 0) return;
  throw new CofferdamError('HOST_UNPREPARED', 'changing the host firewall takes root', {
    remedy: `sudo firewall ${verb}`,
  });
}

async function apply(context: CliContext, flags: { confirm?: string }): Promise<void> {
  const confirmMs = readConfirm(flags.confirm);
  requireRoot(context, 'apply');
  const model = readModel(context);
  if (model.mode === 'strict' && confirmMs === undefined) {
    throw new CofferdamError('USAGE', 'mode strict can lock you out of this host: it needs --confirm', {
      remedy: 'firewall apply --confirm 60s',
    });
  }
  const script = renderNftables(model, readStaticRules(hostPaths(context)));
  const { changed, pending } = await applyFirewall({ places: placesOf(context), script, confirmMs, now: Date.now });
  const say = (text: string) => context.terminal.err(`firewall: ${text}\n`);
  if (!changed) say('in force already; nothing was changed');
  else if (pending === undefined) say('in force until the next boot; to keep it: firewall confirm');
  else
    say(
      `in force for ${flags.confirm}, then back to what was before\n  from a new connection, to keep it: firewall confirm`,
    );
  if (model.proxy === undefined) say('no proxy is installed: sandboxes reach nothing');
}

async function confirm(context: CliContext): Promise<void> {
  requireRoot(context, 'confirm');
  const places = placesOf(context);
  const news = await confirmFirewall(places);
  const atBoot = await enableBoot(hostPaths(context).install);
  context.terminal.err(`firewall: ${news ? 'kept' : 'was kept already'}: ${places.boot}\n`);
  if (!atBoot) context.terminal.err(`firewall: no systemd here; let your boot run: nft -f ${places.boot}\n`);
}

async function off(context: CliContext): Promise<void> {
  requireRoot(context, 'off');
  const there = await removeFirewall(placesOf(context));
  await disableBoot();
  context.terminal.err(`firewall: ${there ? 'taken away, for the next boot too' : 'there was none'}\n`);
}

/** The commands that change the host firewall. */
export function firewallChangeCommands(context: CliContext): Command[] {
  return [
    createCommand('apply')
      .description(
        'Put the policy in force on this host: checked first, one transaction; a second time changes nothing',
      )
      .option('--confirm <duration>', 'go back by itself after this long, unless `firewall confirm` comes first')
      .addHelpText('after', '\nExample:\n  sudo firewall apply --confirm 60s')
      .action((flags: { confirm?: string }) => apply(context, flags)),
    createCommand('confirm')
      .description(
        'Keep what was applied, for the next boot too; from a new connection, which proves that there still is one',
      )
      .addHelpText('after', '\nExample:\n  sudo firewall confirm')
      .action(() => confirm(context)),
    createCommand('rollback')
      .description('Undo the last apply, unless it was confirmed')
      .addHelpText('after', '\nExample:\n  sudo firewall rollback')
      .action(async () => {
        requireRoot(context, 'rollback');
        await rollBack(placesOf(context));
        context.terminal.err('firewall: what was before is in force again\n');
      }),
    createCommand('off')
      .description('Take the host firewall away, now and for the next boot; tables of others are not touched')
      .addHelpText('after', '\nExample:\n  sudo firewall off')
      .action(() => off(context)),
  ];
}
