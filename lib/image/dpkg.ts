// Owns reading dpkg's database: which packages, in which version, a root filesystem holds.

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** The source package, where it differs from the name. */
  readonly source?: string | undefined;
}

/** Fields of one RFC 822-like stanza; continuation lines are joined with newlines. */
export function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) fields.set(current, `${fields.get(current) ?? ''}\n${line.trim()}`);
    else {
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      current = line.slice(0, colon).toLowerCase();
      fields.set(current, line.slice(colon + 1).trim());
    }
  }
  return fields;
}

/** The installed packages of a `/var/lib/dpkg/status`, sorted by name and architecture. */
export function parseStatus(status: string): DebianPackage[] {
  return status
    .split(/\n\n+/)
    .map(parseStanza)
    .filter((fields) => fields.get('status') === 'install ok installed')
    .map((fields) => ({
      name: fields.get('package') ?? '',
      version: fields.get('version') ?? '',
      arch: fields.get('architecture') ?? '',
      source: fields.get('source')?.split(' ')[0],
    }))
    .sort((a, b) => compareText(`${a.name} ${a.arch}`, `${b.name} ${b.arch}`));
}

/** Order by code unit: the same on every host, unlike a locale's. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
