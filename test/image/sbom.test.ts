import { test } from 'tap';
import { parseStatus } from '../../lib/image/dpkg.ts';
import { packageUrl, renderSbom } from '../../lib/image/sbom.ts';
import { debianLicences, describeSoftware, isDescribed } from '../../lib/image/software.ts';
import { makeRecord } from './fixtures.ts';

const status = `Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib
Version: 1:1.3.dfsg+really1.3.1-1+b1
Description: compression
 continued: text

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: bash
Status: install ok installed
Architecture: amd64
Source: bash (5.2.37-2)
Version: 5.2.37-2+b3
`;

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-3+ or Expat

Files: b
License: Expat
 text
`;

const lock = {
  format: 1 as const,
  debian: parseStatus(status),
  pypi: [{ name: 'semgrep', version: '1.0', file: 'semgrep-1.0-py3-none-any.whl', sha256: 'b'.repeat(64) }],
  npm: [{ name: '@scope/tool', version: '2.0.0', integrity: `sha512-${Buffer.alloc(64).toString('base64')}` }],
};

const files = new Map([
  ['usr/share/doc/bash/copyright', Buffer.from(copyright)],
  [
    'opt/pypi/lib/python3.13/site-packages/semgrep-1.0.dist-info/METADATA',
    Buffer.from('Name: semgrep\nLicense-Expression: LGPL-2.1-or-later\n\nLicense: not this\n'),
  ],
  ['usr/local/lib/node_modules/@scope/tool/package.json', Buffer.from('{"license":"ISC"}')],
]);

test("reads dpkg's status: installed packages only, sorted", async (t) => {
  t.same(parseStatus(status), [
    { name: 'bash', version: '5.2.37-2+b3', arch: 'amd64', source: 'bash' },
    { name: 'zlib1g', version: '1:1.3.dfsg+really1.3.1-1+b1', arch: 'amd64', source: 'zlib' },
  ]);
});

test('reads licences where they are stated in a form for machines', async (t) => {
  t.same(debianLicences(copyright), ['Expat', 'GPL-3+ or Expat']);
  t.same(debianLicences('License: GPL, see the file\n'), []);
  for (const path of files.keys()) t.ok(isDescribed(path), path);
  t.notOk(isDescribed('usr/share/doc/bash/../../../etc/copyright'));
  const software = describeSoftware(files, lock);
  t.same(
    software.map(({ name, licences }) => [name, licences]),
    [
      ['bash', ['Expat', 'GPL-3+ or Expat']],
      ['zlib1g', []],
      ['semgrep', ['LGPL-2.1-or-later']],
      ['@scope/tool', ['ISC']],
    ],
  );
});

test('package URLs follow the specification', async (t) => {
  const [, zlib, semgrep, tool] = describeSoftware(files, lock);
  const url = 'pkg:deb/debian/zlib1g@1:1.3.dfsg%2Breally1.3.1-1%2Bb1?arch=amd64&distro=debian-13&upstream=zlib';
  t.equal(zlib && packageUrl(zlib, 'trixie'), url);
  t.equal(semgrep && packageUrl(semgrep, 'trixie'), 'pkg:pypi/semgrep@1.0');
  t.equal(tool && packageUrl(tool, 'trixie'), 'pkg:npm/%40scope/tool@2.0.0');
});

test('the bill is CycloneDX 1.6 in structure and the same each time', async (t) => {
  const bill = renderSbom(makeRecord(), describeSoftware(files, lock));
  t.same(renderSbom(makeRecord({ builtAt: '2030-01-01T00:00:00.000Z' }), describeSoftware(files, lock)), bill);
  t.equal(bill.bomFormat, 'CycloneDX');
  t.equal(bill.specVersion, '1.6');
  t.match(bill.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(bill.metadata.component.type, 'container');
  t.match(bill.metadata.component.hashes, [{ alg: 'SHA-256', content: 'a'.repeat(64) }]);
  const references = bill.components.map((component) => component['bom-ref']);
  t.equal(new Set(references).size, references.length, 'references are unique');
  t.same(bill.dependencies, [{ ref: bill.metadata.component['bom-ref'], dependsOn: references }]);
  for (const { type, name, version, purl } of bill.components) {
    t.equal(type, 'library');
    t.ok(name !== '' && version !== '' && purl.startsWith('pkg:'));
  }
  t.match(bill.components[3]?.hashes, [{ alg: 'SHA-512', content: '0'.repeat(128) }]);
});
