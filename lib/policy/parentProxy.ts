// Owns which proxy ours goes through, if any: that of the environment where the policy lets it choose, the policy's own, or none.
import { printable } from '../base/printable.ts';
import type { Policy } from './policy.ts';

export interface ParentProxy {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** The one way to write it, `http://HOST:PORT`. */
  readonly text: string;
}

export type ParentReading =
  | { readonly parent: ParentProxy; readonly fault?: never }
  | { readonly parent?: never; readonly fault: string };

/** Reads `http://HOST[:PORT]`; a fault is the rest of a sentence and never says what was written: it may hold a password. */
export function readParentProxy(written: string): ParentReading {
  if (written.length > 1000 || !URL.canParse(written)) return { fault: 'is no URL; write http://HOST:PORT' };
  const url = new URL(written);
  if (url.username !== '' || url.password !== '' || written.includes('@'))
    return { fault: 'holds credentials, which would stand in files and process lists; let the proxy know this host' };
  if (url.protocol !== 'http:') return { fault: 'is not an http:// URL' };
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return { fault: 'has more than a host and a port' };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // What is left of a host after URL(), less what squid.conf would read as something else.
  if (!/^[a-z0-9._:-]+$/.test(host)) return { fault: 'has no host name in it' };
  const port = url.port === '' ? 80 : Number(url.port);
  if (port === 0) return { fault: 'has port 0' };
  return { parent: { host, port, text: `http://${url.hostname}:${port}` } };
}

/** As curl(1) reads them: the one for tunnels first. */
const variables = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'] as const;

/** What of an environment chooseParent() reads, for a process that is started without the rest. */
export function proxyVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(variables.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

export interface ParentChoice {
  /** What the environment names; undefined when it names none. */
  readonly environment:
    | { readonly variable: string; readonly reading: ParentReading; readonly permitted: boolean }
    | undefined;
  /** What firewall.yaml names. */
  readonly workspace: ParentProxy | undefined;
  readonly effective:
    | { readonly from: 'environment' | 'workspace'; readonly parent: ParentProxy }
    | { readonly from: 'none'; readonly parent?: never }
    /** The environment chooses and cannot be understood: nothing leaves, rather than by another way. */
    | { readonly from: 'environment'; readonly parent?: never; readonly fault: string };
}

/**
 * Environment, workspace, none. Whoever calls us makes the environment, and another parent sees all that leaves: it counts only where
 * the policy says `environmentProxy: true`.
 */
export function chooseParent(
  { parentProxy, environmentProxy }: Pick<Policy, 'parentProxy' | 'environmentProxy'>,
  env: Readonly<Record<string, string | undefined>>,
): ParentChoice {
  const variable = variables.find((name) => (env[name] ?? '') !== '');
  const environment =
    variable === undefined
      ? undefined
      : { variable, reading: readParentProxy(env[variable] ?? ''), permitted: environmentProxy };
  const workspace = parentProxy;
  if (environment?.permitted === true) {
    const { parent, fault } = environment.reading;
    if (fault !== undefined)
      return { environment, workspace, effective: { from: 'environment', fault: printable(`${variable} ${fault}`) } };
    return { environment, workspace, effective: { from: 'environment', parent } };
  }
  if (workspace === undefined) return { environment, workspace, effective: { from: 'none' } };
  return { environment, workspace, effective: { from: 'workspace', parent: workspace } };
}
