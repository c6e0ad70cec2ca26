// Owns which accounts of the host are the bridge, the proxy and the sandboxes, from the text of passwd(5) and subuid(5).
import type { Endpoint, ProxyIdentity, UidRange } from './model.ts';

/** System users that run nothing else. */
export const bridgeUser = 'cofferdam-bridge';
export const proxyUser = 'cofferdam-proxy';

/** Where Squid listens: one port is in use, the other is its successor's while the policy changes. */
export const proxyEndpoints: readonly Endpoint[] = [
  { address: '127.0.0.1', port: 3129 },
  { address: '127.0.0.1', port: 3130 },
];

/** Uid of the account called `name`, or undefined. */
export function uidOf(passwd: string, name: string): number | undefined {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([found]) => found === name);
  return fields?.[2] !== undefined && /^[0-9]{1,10}$/.test(fields[2]) ? Number(fields[2]) : undefined;
}

/** The proxy as it is installed, or undefined. */
export function findProxy(passwd: string): ProxyIdentity | undefined {
  const uid = uidOf(passwd, proxyUser);
  return uid === undefined ? undefined : { uid, endpoints: proxyEndpoints };
}

/** Every range of subordinate uids of `users`: whatever runs in one is somebody's sandbox or container. */
export function findSandboxUids(passwd: string, subuid: string, users: readonly string[]): UidRange[] {
  const owners = new Set(users.flatMap((user) => [user, String(uidOf(passwd, user) ?? user)]));
  return subuid.split('\n').flatMap((line) => {
    const [, owner = '', start, count] = /^([^:#]+):([0-9]{1,10}):([0-9]{1,10})$/.exec(line.trim()) ?? [];
    if (!owners.has(owner) || Number(count) === 0) return [];
    return [{ first: Number(start), last: Number(start) + Number(count) - 1 }];
  });
}

/** Numeric addresses of the name servers in the text of resolv.conf(5). */
export function findNameServers(resolv: string): string[] {
  return resolv.split('\n').flatMap((line) => {
    const [, address] = /^nameserver\s+([0-9a-fA-F:.]+)\s*$/.exec(line) ?? [];
    return address === undefined ? [] : [address];
  });
}
