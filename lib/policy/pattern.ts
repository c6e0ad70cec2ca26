// Owns host patterns: exact name, `*.x` (below x), `.x` (x and below), optional port; reading, writing, matching.
import { printable } from '../base/printable.ts';
import { readHost } from './hostname.ts';
import { isPublicSuffix } from './publicSuffix.ts';

export interface Pattern {
  /** exact: the name; below: names below it at any depth, not itself; within: both (Squid's `.x`). */
  readonly kind: 'exact' | 'below' | 'within';
  /** Canonical, without the prefix. */
  readonly host: string;
  /** Undefined: 80 and 443 where the rule allows, every port where it denies. */
  readonly port: number | undefined;
  /** The one way to write it. */
  readonly text: string;
}

export type PatternReading = { readonly pattern: Pattern; readonly fault?: never } | { readonly fault: string };

/** What an allowing rule without a port opens: HTTP and HTTPS, as the proxy speaks them. */
export const webPorts: readonly number[] = [80, 443];

const prefixes = { exact: '', below: '*.', within: '.' } as const;

/** A port in the one decimal form, or undefined. */
export function readPort(text: string): number | undefined {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** `host:port` apart at the last colon; a text with several colons is an address and stays whole. */
export function splitPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const at = text.indexOf(':');
  if (at === -1 || at !== text.lastIndexOf(':') || text.startsWith('[')) return { host: text, port: undefined };
  return { host: text.slice(0, at), port: text.slice(at + 1) };
}

function kindOf(text: string): Pattern['kind'] {
  if (text.startsWith('*.')) return 'below';
  return text.startsWith('.') ? 'within' : 'exact';
}

/** Reads a pattern; a fault is one sentence that names the text as it was written. */
export function readPattern(text: string): PatternReading {
  const fail = (why: string): PatternReading => ({ fault: `"${printable(text, 80)}" ${why}` });
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0];
  if (scheme !== undefined) return fail('is a URL; write the host alone');
  if (/^[*.]*$/.test(text) && text !== '') return fail('stands for every host; name them');
  const { host: written, port: portText } = splitPort(text);
  const port = portText === undefined ? undefined : readPort(portText);
  if (portText !== undefined && port === undefined) return fail('has a port that is not a number from 1 to 65535');
  const kind = kindOf(written);
  const reading = readHost(written.slice(prefixes[kind].length), kind === 'exact' ? 2 : 1);
  if (reading.fault !== undefined) {
    const never = reading.fault.kind === 'address' ? '; addresses are never reached by number, name the host' : '';
    return fail(`${reading.fault.text}${never}`);
  }
  const { host } = reading;
  if (kind !== 'exact' && isPublicSuffix(host))
    return fail(`stands for everybody's names: ${host} is a public suffix; name the hosts`);
  return { pattern: { kind, host, port, text: `${prefixes[kind]}${host}${port === undefined ? '' : `:${port}`}` } };
}

/** Whether `pattern` stands for the name `host` (canonical). */
export function coversHost({ kind, host: base }: Pattern, host: string): boolean {
  if (host === base) return kind !== 'below';
  return kind !== 'exact' && host.endsWith(`.${base}`);
}

/** Whether a rule with this pattern speaks about `port`. */
export function coversPort({ port: only }: Pattern, port: number, effect: 'allow' | 'deny'): boolean {
  if (only !== undefined) return only === port;
  return effect === 'deny' || webPorts.includes(port);
}
