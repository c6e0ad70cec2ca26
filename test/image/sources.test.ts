import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parseDeb822, parseOneLine, pickMirrors, readMirrors, renderSources } from '../../lib/image/sources.ts';
import { ownFolder } from './fixtures.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const deb822 = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${keyring}

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By: ${keyring}
`;

test('reads deb822 sources', async (t) => {
  t.same(pickMirrors(parseDeb822(deb822)), {
    main: 'http://mirror.example/debian',
    security: 'http://mirror.example/debian-security',
  });
});

test('reads one-line sources with and without options', async (t) => {
  const text = `# comment
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # note
deb [arch=amd64 signed-by=${keyring}] https://secure.example/ bookworm-security main
`;
  t.same(pickMirrors(parseOneLine(text)), {
    main: 'http://mirror.example/debian',
    security: 'https://secure.example/',
  });
});

test("passes over vendors that use Debian's suite names, disabled stanzas and local media", async (t) => {
  const vendor = 'deb [signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example bookworm main\n';
  const media = 'deb cdrom:[Debian] bookworm main\ndeb file:/srv/debian bookworm main\n';
  const disabled = deb822.replace('Types: deb\n', 'Enabled: no\nTypes: deb\n').replace('mirror.example', 'off.example');
  const found = pickMirrors([...parseOneLine(vendor + media), ...parseDeb822(disabled), ...parseDeb822(deb822)]);
  t.equal(found.main, 'http://mirror.example/debian');
});

test('refuses a host without a security archive', async (t) => {
  const [first = ''] = deb822.split('\n\n');
  t.throws(() => pickMirrors(parseDeb822(first)), { code: 'HOST_UNPREPARED', message: /security/ });
  t.throws(() => pickMirrors([]), { code: 'HOST_UNPREPARED', remedy: /debian\.sources/ });
});

test("an administrator's file replaces the host's configuration", async (t) => {
  const folder = ownFolder(t);
  mkdirSync(join(folder, 'apt/sources.list.d'), { recursive: true });
  writeFileSync(join(folder, 'apt/sources.list.d/debian.sources'), deb822);
  t.equal(readMirrors(join(folder, 'apt'), join(folder, 'absent')).main, 'http://mirror.example/debian');
  writeFileSync(join(folder, 'own'), deb822.replaceAll('mirror.example', 'own.example'));
  t.equal(readMirrors(join(folder, 'apt'), join(folder, 'own')).main, 'http://own.example/debian');
});

test("every line of the rendered list is tied to Debian's keyring", async (t) => {
  const lines = renderSources({ main: 'http://a', security: 'http://b' }, 'trixie').trim().split('\n');
  t.equal(lines.length, 3);
  for (const line of lines) t.match(line, `[signed-by=${keyring}]`);
  t.match(lines[2], 'http://b trixie-security main');
});
