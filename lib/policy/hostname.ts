// Owns the one form of a host name: lower case, ASCII (punycode), no trailing dot; whatever means an address is told apart.
import { isIP } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { printable } from '../base/printable.ts';

export interface HostFault {
  /** `address`: an IP literal in any spelling; `malformed`: no host name at all. */
  readonly kind: 'address' | 'malformed';
  readonly text: string;
}

export type HostReading = { readonly host: string; readonly fault?: never } | { readonly fault: HostFault };

const mostWritten = 1000;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What a resolver or URL parser takes for the end of an IPv4 address (WHATWG URL, "ends in a number"). */
const numberLabel = /^(?:[0-9]+|0x[0-9a-f]*)$/;

const endsInNumber = (host: string) => numberLabel.test(host.split('.').at(-1) ?? '');

const address = (text: string): HostReading => ({ fault: { kind: 'address', text } });
const malformed = (text: string): HostReading => ({ fault: { kind: 'malformed', text } });

const foreign: Readonly<Record<string, string>> = {
  '@': 'holds user information; write the host alone',
  '/': 'is a URL or path; write the host alone',
  '\\': 'holds a backslash',
  '%': 'holds "%": neither zone ids nor percent-encoding are read',
  '*': 'holds "*", which may stand only in front, as in *.example.org',
};

/** domainToASCII() decodes percent signs and stops at a slash: nothing of that kind may reach it. */
function findForeign(text: string): string | undefined {
  const found = /[^A-Za-z0-9._\u0080-\u{10ffff}-]/u.exec(text)?.[0];
  return found === undefined ? undefined : (foreign[found] ?? `holds "${printable(found)}"`);
}

function checkLabels(host: string): string | undefined {
  if (host.length > 253) return 'is longer than 253 characters';
  const labels = host.split('.');
  if (labels.some((part) => part === '')) return 'has an empty label';
  for (const part of labels) {
    if (!label.test(part)) return `has the label "${printable(part, 70)}", which no host name can have`;
    // What does not come back as it was is not punycode, and means one thing here and another elsewhere.
    const shown = part.startsWith('xn--') ? domainToUnicode(part) : undefined;
    if (shown !== undefined && (shown === part || shown === '' || domainToASCII(shown) !== part))
      return `has the label "${printable(part, 70)}", which is not valid punycode`;
  }
  return undefined;
}

function toAscii(text: string): HostReading {
  const lower = text.toLowerCase();
  const host = /^[\u0000-\u007f]*$/.test(text) ? lower : domainToASCII(lower);
  // domainToASCII() gives '' for what ends in a number and is no address, so the text as it was is looked at too.
  if (isIP(host) !== 0 || endsInNumber(host) || endsInNumber(lower)) return address('is an IP address');
  if (host === '') return malformed('is not a host name');
  // Full-width letters, the Kelvin sign and their like become ASCII: what was read is not what was written.
  const mapped = host
    .split('.')
    .some(
      (part, i) => !part.startsWith('xn--') && part !== text.split('.')[i]?.replace(/[A-Z]/g, (c) => c.toLowerCase()),
    );
  if (mapped || (host !== lower && domainToUnicode(host) !== lower.normalize('NFC')))
    return malformed(`is written with characters that stand for others; write ${printable(host, 260)}`);
  return { host };
}

/**
 * The canonical form of `text`, a name of at least two labels (one, as in `localhost`, depends on the search list of whoever
 * resolves it), or what is wrong with it, as the rest of a sentence. Addresses are refused in every spelling: dotted,
 * decimal, octal, hex, IPv6 with and without brackets, mapped, NAT64, with zone ids.
 */
export function readHost(text: string, fewestLabels = 2): HostReading {
  if (text === '') return malformed('is empty');
  if (text.length > mostWritten) return malformed('is longer than any host name');
  if (printable(text, mostWritten) !== text) return malformed('holds control or invisible characters');
  if (/^\[.*\]?$/.test(text) || text.includes(':')) return address('is an IPv6 address, or has a port that is none');
  const found = findForeign(text);
  if (found !== undefined) return malformed(found);
  const named = text.endsWith('.') ? text.slice(0, -1) : text;
  const reading = toAscii(named);
  if (reading.fault !== undefined) return reading;
  const fault = checkLabels(reading.host);
  if (fault !== undefined) return malformed(fault);
  if (reading.host.split('.').length < fewestLabels) return malformed('has one label only; write the full name');
  return reading;
}

/**
 * A pattern or host for people, `xn--bcher-kva.example (bücher.example)`: what is enforced first, then what it looks like.
 * Harmless on a terminal, whatever `text` is.
 */
export function showHost(text: string): string {
  const plain = printable(text, 260);
  if (!/(?:^|\.)xn--/.test(text)) return plain;
  const shown = domainToUnicode(text.replace(/^\*?\./, '').replace(/:[0-9]+$/, ''));
  return shown === '' || text.includes(shown) ? plain : `${plain} (${printable(shown, 260)})`;
}
