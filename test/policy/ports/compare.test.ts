// Owns what doctor ports finds: each way in which what is bound differs from what is registered.
import { test } from 'tap';
import { comparePorts } from '../../../lib/policy/ports/compare.ts';
import type { Listener } from '../../../lib/policy/ports/procNet.ts';
import { parseRegistry } from '../../../lib/policy/ports/registry.ts';

const { registrations } = parseRegistry(
  'services: [{name: web, port: 80}, {name: open, port: 81, address: 0.0.0.0}, {name: idle, port: 82}]',
  'p.yaml',
  'alice',
);
const uids: Readonly<Record<string, number>> = { alice: 1000, bob: 1001 };
const at = (address: string, port: number, uid = 1000, protocol: Listener['protocol'] = 'tcp'): Listener => ({
  protocol,
  address,
  port,
  uid,
  inode: '1',
});
const find = (listeners: readonly Listener[], all = registrations) =>
  comparePorts({ registrations: all, listeners, uidOf: (account) => uids[account] });
const states = (...listeners: readonly Listener[]) =>
  find(listeners)
    .filter(({ listener }) => listener !== undefined)
    .map(({ state }) => state);

test('what is bound as registered is well, and what nobody uses is free', async (t) => {
  const found = find([at('127.0.0.1', 80), at('0.0.0.0', 81)]);
  t.strictSame(
    found.map(({ state, registration }) => [state, registration?.name]),
    [
      ['bound', 'web'],
      ['bound', 'open'],
      ['free', 'idle'],
    ],
  );
});

test('each difference has its name', async (t) => {
  t.strictSame(states(at('0.0.0.0', 80)), ['wide']);
  t.strictSame(states(at('::', 80)), ['wide']);
  t.strictSame(states(at('192.0.2.1', 80)), ['wide'], 'at another address than registered');
  t.strictSame(states(at('127.0.0.1', 80, 1001)), ['owner']);
  t.strictSame(states(at('127.0.0.1', 99)), ['stranger']);
  t.strictSame(states(at('127.0.0.1', 80, 1000, 'udp')), ['stranger']);
  t.match(find([at('0.0.0.0', 99)])[0]?.text, /other hosts can reach it/);
});

test('registrations of two files that are in each other’s way are a conflict', async (t) => {
  const host = parseRegistry('services: [{name: proxy, port: 80, owner: bob}]', 'h.yaml', 'root').registrations;
  const [found] = find([], [...host, ...registrations]);
  t.match(found, {
    state: 'conflict',
    text: /127\.0\.0\.1:80 is proxy's, of bob \(h\.yaml:1:12\), and web's, of alice/,
  });
});
