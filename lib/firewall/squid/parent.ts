// Owns going through another proxy: all of it or nothing, never around it.
import type { ParentProxy } from '../../policy/parentProxy.ts';

export function renderParent(parent: ParentProxy | undefined): string[] {
  if (parent === undefined) return ['always_direct allow all'];
  const { host, port } = parent;
  return [
    `cache_peer ${host} parent ${port} 0 no-query no-digest no-netdb-exchange default`,
    'never_direct allow all',
    'prefer_direct off',
  ];
}
