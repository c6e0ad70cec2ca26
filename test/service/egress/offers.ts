// Owns what the tests' internet offers: a page, a Python, an npm and a Go package, a git repository; and the CA that signs for it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemPath } from '../../../lib/base/exec.ts';

export const word = 'reached-the-way-out';

const env = { PATH: systemPath, LANG: 'C.UTF-8', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
const call = (folder: string, file: string, ...args: string[]) =>
  execFileSync(file, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

function write(folder: string, name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const zip = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as out:
    for pair in zip(sys.argv[2::2], sys.argv[3::2]): out.writestr(*pair)`;

function zipOf(folder: string, name: string, files: Readonly<Record<string, string>>): void {
  write(folder, name, '');
  call(folder, '/usr/bin/python3', '-c', zip, name, ...Object.entries(files).flat());
}

function offerPython(root: string): void {
  zipOf(root, 'simple/tinything/tinything-1.0-py3-none-any.whl', {
    'tinything.py': `word = "${word}"\n`,
    'tinything-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n',
    'tinything-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    'tinything-1.0.dist-info/RECORD': 'tinything.py,,\n',
  });
  const link = '<a href="tinything-1.0-py3-none-any.whl">tinything-1.0-py3-none-any.whl</a>';
  write(root, 'simple/tinything/index.html', `<!DOCTYPE html><html><body>${link}</body></html>`);
}

function offerNpm(root: string, host: string): void {
  const manifest = { name: 'tinything', version: '1.0.0', main: 'index.js' };
  write(root, 'npm-source/package/package.json', JSON.stringify(manifest));
  write(root, 'npm-source/package/index.js', `module.exports = '${word}';\n`);
  mkdirSync(join(root, 'npm'), { recursive: true });
  call(root, 'tar', '-czf', 'npm/tinything-1.0.0.tgz', '-C', 'npm-source', 'package');
  const integrity = `sha512-${createHash('sha512')
    .update(readFileSync(join(root, 'npm/tinything-1.0.0.tgz')))
    .digest('base64')}`;
  const dist = { tarball: `https://${host}/npm/tinything-1.0.0.tgz`, integrity };
  const versions = { '1.0.0': { ...manifest, dist } };
  write(root, 'npm/tinything', JSON.stringify({ name: 'tinything', 'dist-tags': { latest: '1.0.0' }, versions }));
}

function offerGit(root: string): void {
  const source = join(root, 'git-source');
  write(source, 'hello.txt', `${word}\n`);
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@t.example'];
  call(source, 'git', 'init', '-q', '-b', 'main');
  call(source, 'git', 'add', '.');
  call(source, 'git', ...who, 'commit', '-q', '-m', 'one');
  call(root, 'git', 'clone', '-q', '--bare', source, 'repo.git');
  call(join(root, 'repo.git'), 'git', 'update-server-info');
}

function offerGo(root: string): void {
  const at = 'go/example.org/tiny/@v';
  const module = 'module example.org/tiny\n';
  write(root, `${at}/list`, 'v1.0.0\n');
  write(root, `${at}/v1.0.0.info`, JSON.stringify({ Version: 'v1.0.0', Time: '2025-01-01T00:00:00Z' }));
  write(root, `${at}/v1.0.0.mod`, module);
  zipOf(root, `${at}/v1.0.0.zip`, {
    'example.org/tiny@v1.0.0/go.mod': module,
    'example.org/tiny@v1.0.0/tiny.go': `package tiny\n\nconst Word = "${word}"\n`,
  });
}

export interface Offered {
  readonly root: string;
  /** Key and certificate of the server, in one file; the certificate of its CA. */
  readonly certificate: string;
  readonly authority: string;
}

function certify(folder: string, hosts: readonly string[]): Omit<Offered, 'root'> {
  const openssl = (...args: string[]) => call(folder, 'openssl', ...args);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
    '-addext',
    'keyUsage=critical,keyCertSign',
  );
  openssl('req', ...key, '-keyout', 'web.key', '-out', 'web.csr', '-subj', '/CN=web');
  const names = write(
    folder,
    'names',
    `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}\nauthorityKeyIdentifier=keyid\n`,
  );
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', names];
  openssl('x509', '-req', '-in', 'web.csr', '-out', 'web.pem', ...signed);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const certificate = write(folder, 'both.pem', `${read('web.key')}${read('web.pem')}`);
  return { certificate, authority: read('ca.pem') };
}

/** All of it below `folder`; packages point to `host`. */
export function makeOffers(folder: string, hosts: readonly [string, ...string[]]): Offered {
  const root = join(folder, 'www');
  write(root, 'hello.txt', `${word}\n`);
  offerPython(root);
  offerNpm(root, hosts[0]);
  offerGit(root);
  offerGo(root);
  write(folder, 'keys/.keep', '');
  chmodSync(join(folder, 'keys'), 0o700);
  return { root, ...certify(join(folder, 'keys'), hosts) };
}
