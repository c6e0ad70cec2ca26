// Owns the software bill of materials of an image: CycloneDX 1.6 JSON, the same bytes for the same image.
import { imageEpoch } from './extract.ts';
import type { ImageRecord } from './registry.ts';
import type { Software } from './software.ts';

/** Debian's release number, for the `distro` qualifier of a package URL. */
const release: Record<string, string> = { bookworm: 'debian-12', trixie: 'debian-13' };

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}

/** The package URL (https://github.com/package-url/purl-spec) of a piece of software in an image of `suite`. */
export function packageUrl(item: Software, suite: string): string {
  const { kind, name, version, arch, source } = item;
  if (kind === 'pypi') return `pkg:pypi/${encode(name)}@${encode(version)}`;
  if (kind === 'npm') return `pkg:npm/${name.split('/').map(encode).join('/')}@${encode(version)}`;
  const qualifiers = [`arch=${arch ?? 'all'}`, `distro=${release[suite] ?? suite}`];
  if (source !== undefined) qualifiers.push(`upstream=${encode(source)}`);
  return `pkg:deb/debian/${encode(name)}@${encode(version)}?${qualifiers.join('&')}`;
}

function hashesOf(integrity: string | undefined): { alg: string; content: string }[] {
  if (integrity?.startsWith('sha256:') === true) return [{ alg: 'SHA-256', content: integrity.slice(7) }];
  if (integrity?.startsWith('sha512-') === true) {
    return [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }];
  }
  return [];
}

/** A version 4-shaped UUID made from the digest: unique per image, yet the same each time. */
function serialNumber(digest: string): string {
  const hex = digest.slice('sha256:'.length);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${parts.join('-')}`;
}

/** The bill as a plain object. No time of building stands in it: two builds with one digest have one bill. */
export function renderSbom(
  record: Pick<ImageRecord, 'name' | 'version' | 'digest' | 'suite'>,
  software: readonly Software[],
) {
  const { name, version, digest, suite } = record;
  const reference = `${name}@${digest}`;
  const components = software.map((item) => {
    const purl = packageUrl(item, suite);
    const hashes = hashesOf(item.integrity);
    return {
      type: 'library',
      'bom-ref': purl,
      name: item.name,
      version: item.version,
      // Debian's short names are not all SPDX ids, so they are given as names.
      ...(item.licences.length === 0
        ? {}
        : { licenses: item.licences.map((licence) => ({ license: { name: licence } })) }),
      ...(hashes.length === 0 ? {} : { hashes }),
      purl,
    };
  });
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(digest),
    version: 1,
    metadata: {
      timestamp: new Date(imageEpoch * 1000).toISOString(),
      component: {
        type: 'container',
        'bom-ref': reference,
        name,
        version,
        hashes: [{ alg: 'SHA-256', content: digest.slice('sha256:'.length) }],
      },
    },
    components,
    dependencies: [{ ref: reference, dependsOn: components.map((component) => component['bom-ref']) }],
  };
}
