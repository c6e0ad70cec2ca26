// Owns what listens in the firewall tests' world, and loading rules there.
import type { FirewallModel } from '../../lib/firewall/model.ts';
import { renderNftables } from '../../lib/firewall/render.ts';
import { addresses, staticRules, type World } from './world.ts';

const { own4, own6, dns4, dns6, public4, public6 } = addresses;

// A datagram's answer comes from the address that it was sent to only where that address was bound.
/** Listeners on every address of the internet and of the host; all say `hello`. */
export async function populate(world: World): Promise<void> {
  const all = ['0.0.0.0', '::'];
  const listen = (proto: 'tcp' | 'udp', at: readonly string[], ports: readonly number[]) =>
    at.flatMap((address) => ports.map((port) => ({ proto, address, port })));
  const there = [public4, public6, dns4, dns6];
  await world.serve('net', [...listen('tcp', all, [53, 80, 443, 8080]), ...listen('udp', there, [53, 443])]);
  const here = ['127.0.0.1', '::1', own4, own6];
  const own = [443, 3129, 3131, 8081, 8082, 9000, 9002];
  await world.serve('host', [...listen('tcp', all, own), ...listen('udp', here, [53, 8083, 9001])]);
}

/** Puts the rules of `model` in force on the world's host. */
export function load(world: World, model: FirewallModel): void {
  world.host(['/usr/sbin/nft', '-f', '-'], renderNftables(model, staticRules));
}
