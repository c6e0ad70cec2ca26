// Owns which names are public suffixes, under which strangers register theirs: a wildcard there would allow everybody.
import type * as Tldts from 'tldts';
import { onDemand } from '../base/onDemand.ts';

const library = onDemand<typeof Tldts>('tldts');

/** Under these too a hoster gives names to whoever asks, or every name is an address; publicsuffix.org does not list them. */
const unlisted = new Set(
  'amazonaws.com core.windows.net windows.net fastly.net github.dev glitch.me nip.io railway.app sslip.io xip.io'.split(
    ' ',
  ),
);

/**
 * Whether `host` (canonical) is a public suffix: by publicsuffix.org's list as the package has it, those of registries and of
 * hosters alike, a single label always; or one of the list above, or an `amazonaws.com` name.
 */
export function isPublicSuffix(host: string): boolean {
  if (unlisted.has(host) || host.endsWith('.amazonaws.com')) return true;
  // The name has been checked and made canonical; it is not to be read as a URL.
  const options = { allowPrivateDomains: true, detectIp: false, extractHostname: false, validateHostname: false };
  return library().getPublicSuffix(host, options) === host;
}
