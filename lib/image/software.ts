// Owns the list of what an image is made of, with licences where the packages state them in a readable form.
import { compareText, type DebianPackage } from './dpkg.ts';
import type { Lock } from './lock.ts';

export interface Software {
  readonly kind: 'deb' | 'pypi' | 'npm';
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
  readonly source?: string;
  /** As the package writes them: Debian's short names, or an SPDX expression. */
  readonly licences: readonly string[];
  /** `sha256:<hex>` or `sha512-<base64>` of the file it came in, where the lock has it. */
  readonly integrity?: string;
}

const described = [
  /^var\/lib\/dpkg\/status$/,
  /^usr\/share\/doc\/[^/]+\/copyright$/,
  /^opt\/pypi\/lib\/python3[^/]*\/site-packages\/[^/]+\.dist-info\/METADATA$/,
  /^usr\/local\/lib\/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/,
];

/** Whether describeSoftware wants the content of the file at `path`. */
export function isDescribed(path: string): boolean {
  return described.some((pattern) => pattern.test(path));
}

/** The `License:` short names of a copyright file in Debian's machine-readable format; none for free text. */
export function debianLicences(copyright: string): string[] {
  if (!/^format:.*copyright-format/im.test(copyright.slice(0, 2000))) return [];
  const found = [...copyright.matchAll(/^license:[ \t]*([^\n]+)$/gim)].map((match) => (match[1] ?? '').trim());
  return [...new Set(found.filter((name) => name !== '' && name.length <= 200))].sort(compareText);
}

function wheelLicences(metadata: string): string[] {
  const header = metadata.split('\n\n')[0] ?? '';
  const expression = /^License-Expression: (.+)$/m.exec(header)?.[1] ?? /^License: (.{1,100})$/m.exec(header)?.[1];
  return expression === undefined || expression === 'UNKNOWN' ? [] : [expression.trim()];
}

function npmLicences(manifest: string | undefined): string[] {
  try {
    const value: unknown = JSON.parse(manifest ?? '{}');
    const licence = typeof value === 'object' && value !== null && 'license' in value ? value.license : undefined;
    return typeof licence === 'string' ? [licence] : [];
  } catch {
    return [];
  }
}

/** All software of an image: Debian's by name, then wheels, then npm packages. `files` holds what isDescribed asked for. */
export function describeSoftware(files: ReadonlyMap<string, Buffer>, lock: Lock): Software[] {
  const text = (path: string) => files.get(path)?.toString('utf8');
  const debian = lock.debian.map(({ name, version, arch, source }: DebianPackage): Software => {
    const copyright = text(`usr/share/doc/${name}/copyright`) ?? '';
    const rest = { version, arch, licences: debianLicences(copyright) };
    return { kind: 'deb', name, ...rest, ...(source === undefined ? {} : { source }) };
  });
  const metadata = new Map(
    [...files.keys()]
      .map((path): [string | undefined, string] => [/\/([^/]+)\.dist-info\/METADATA$/.exec(path)?.[1], path])
      .map(([folder, path]) => [
        folder
          ?.split('-')[0]
          ?.toLowerCase()
          .replace(/[-_.]+/g, '-') ?? '',
        path,
      ]),
  );
  const wheels = lock.pypi.map(({ name, version, sha256 }): Software => {
    const licences = wheelLicences(text(metadata.get(name) ?? '') ?? '');
    return { kind: 'pypi', name, version, licences, integrity: `sha256:${sha256}` };
  });
  const npm = lock.npm.map(({ name, version, integrity }): Software => {
    const manifest = text(`usr/local/lib/node_modules/${name}/package.json`);
    return { kind: 'npm', name, version, licences: npmLicences(manifest), integrity };
  });
  return [...debian, ...wheels, ...npm];
}
