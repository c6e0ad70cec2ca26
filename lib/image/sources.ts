// Owns where Debian packages come from: the host's own apt configuration. No mirror is named in this repository.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { parseStanza } from './dpkg.ts';

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

/** The archive and the security archive of Debian, as this host reaches them. */
export interface Mirrors {
  readonly main: string;
  readonly security: string;
}

export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const codenames = /^(buster|bullseye|bookworm|trixie|forky|stable|oldstable|testing)$/;

/** Entries of a deb822 file (`*.sources`). */
export function parseDeb822(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = parseStanza(stanza);
    const list = (key: string) => (fields.get(key) ?? '').split(/\s+/).filter((item) => item !== '');
    if (!list('types').includes('deb') || fields.get('enabled')?.toLowerCase() === 'no') return [];
    return list('uris').flatMap((uri) =>
      list('suites').map((suite) => ({
        uri,
        suite,
        components: list('components'),
        signedBy: fields.get('signed-by'),
      })),
    );
  });
}

/** Entries of a one-line file (`*.list`). */
export function parseOneLine(text: string): AptSource[] {
  return text.split('\n').flatMap((raw) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(raw.replace(/#.*$/, '').trim());
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1];
    return [{ uri, suite, components: components.split(/\s+/).filter((item) => item !== ''), signedBy }];
  });
}

function isDebians(source: AptSource): boolean {
  // Vendors reuse Debian's suite names; theirs are signed by their own key.
  const ours =
    source.signedBy === undefined || /(^|\/)debian-archive-[a-z-]*keyring\.(gpg|pgp|asc)$/.test(source.signedBy);
  return ours && source.components.includes('main') && /^https?:\/\//.test(source.uri);
}

/** Picks Debian's archives out of the host's entries. Throws HOST_UNPREPARED when one of the two is missing. */
export function pickMirrors(sources: readonly AptSource[]): Mirrors {
  const debian = sources.filter(isDebians);
  const find = (wanted: (suite: string) => boolean) => debian.find((source) => wanted(source.suite))?.uri;
  const main = find((suite) => codenames.test(suite));
  const security = find((suite) => /(-security|\/updates)$/.test(suite));
  if (main === undefined || security === undefined) {
    const what = main === undefined ? 'archive' : 'security archive';
    throw new CofferdamError('HOST_UNPREPARED', `the apt configuration of this host names no Debian ${what}`, {
      remedy: 'name it in /etc/cofferdam/debian.sources, in the format of sources.list(5)',
    });
  }
  return { main, security };
}

/**
 * The mirrors of this host: from `override` (a deb822 file, for hosts that are not Debian) when it exists, else from
 * `aptFolder` (`/etc/apt`). Throws HOST_UNPREPARED, CONFIG_UNREADABLE.
 */
export function readMirrors(aptFolder: string, override: string): Mirrors {
  const own = readTextIfPresent(override);
  if (own !== undefined) return pickMirrors(parseDeb822(own));
  const parts = join(aptFolder, 'sources.list.d');
  const files = [join(aptFolder, 'sources.list'), ...listed(parts).map((name) => join(parts, name))];
  return pickMirrors(
    files.flatMap((file) => {
      const text = readTextIfPresent(file) ?? '';
      return file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text);
    }),
  );
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.(list|sources)$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** The sources.list that mmdebstrap is given for `suite`: release, updates and security, all by Debian's keyring. */
export function renderSources({ main, security }: Mirrors, suite: string, keyring = debianKeyring): string {
  const line = (uri: string, name: string) => `deb [signed-by=${keyring}] ${uri} ${name} main\n`;
  return line(main, suite) + line(main, `${suite}-updates`) + line(security, `${suite}-security`);
}
