// Owns going through another proxy: all of it or nothing, never around it.
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

export interface ParentProxy {
  readonly host: string;
  readonly port: number;
}

/** What we chain to, of `http://HOST[:PORT]`. Throws FIREWALL_INPUT: credentials would stand in a file and in process lists. */
export function readParent(url: URL): ParentProxy {
  const fail = (why: string): never => {
    throw new CofferdamError('FIREWALL_INPUT', `the parent proxy ${printable(url.host, 260)} ${why}`);
  };
  if (url.username !== '' || url.password !== '') fail('is named with credentials');
  if (url.protocol !== 'http:') fail('is not an http:// one');
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') fail('has more than a host and port');
  // What URL() takes for a host is no more than this, or an IPv6 address.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!/^[A-Za-z0-9._:-]+$/.test(host)) fail('is no host name');
  return { host, port: url.port === '' ? 80 : Number(url.port) };
}

export function renderParent(url: URL | undefined): string[] {
  if (url === undefined) return ['always_direct allow all'];
  const { host, port } = readParent(url);
  return [
    `cache_peer ${host} parent ${port} 0 no-query no-digest no-netdb-exchange default`,
    'never_direct allow all',
    'prefer_direct off',
  ];
}
