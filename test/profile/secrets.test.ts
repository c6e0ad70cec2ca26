// Owns the two tables that matter of secrets: what is one, and the ordinary values that must never be taken for one.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { checkEnvironment } from '../../lib/profile/environment.ts';
import { findSecret } from '../../lib/profile/secrets.ts';

const commit = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
const ordinary: readonly (readonly [string, string])[] = [
  ['LANG', 'C.UTF-8'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['URL', 'https://example.org/a/b?x=1&y=2#frag'],
  ['URL', 'https://user@example.org/x'],
  ['URL', 'https://files.example/5e/6f/Numpy-2.1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl'],
  ['DATABASE_URL', 'postgres://localhost:5432/db'],
  ['OPTIONS', '{"a":[1,2,{"b":"hello world"}],"Path":"/usr/lib/x86_64-linux-gnu"}'],
  ['REQUEST', '{"model":"gpt-4o-mini-2024-07-18","temperature":0.2,"tools":["web.search@v1"]}'],
  ['NUMBER', '1234567890123456789012345678901234567890'],
  ['COMMIT', commit],
  ['COMMIT_RANGE', `${commit}..0123456789abcdef0123456789abcdef01234567`],
  ['DIGEST', 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['INTEGRITY', 'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=='],
  ['GO_SUM', 'h1:lLK5YEeV8jvSYEfXsMGbvkGbTLeGkYuQHhvHFB6f0tQ='],
  ['PUBLIC_KEY', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1+k3zQ8yW5sN7uT2eXhV6Yp0LwqRkfGdC4bM9aZxT1 me@host'],
  ['UUID', '123e4567-e89b-12d3-a456-426614174000'],
  ['ULID', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ['VERSION', 'v1.2.3-beta.4+build.20261120'],
  ['TIME', '2026-11-20T23:54:00.123Z'],
  ['TEXT', 'aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0IG9mIG9yZGluYXJ5IHdvcmRz'],
  ['PROMPT', 'Write 3 tests for parseHTTP2Frame and XMLHttpRequestV2Handler; the password prompt must stay.'],
  ['QUERY', 'SELECT id, name FROM users WHERE id = 42 AND created > now()'],
  ['CLASS', 'MyVeryLongClassNameWithNumber2InItForTests'],
  ['METHOD', 'com.example.MyService2Impl.getHTTPResponseCode200FromServerV1'],
  ['RELATIVE', 'src/Test2/MyApp3/FooBarBaz1/ABCDef'],
  ['NIX', '/nix/store/0c3yfk5bz2gdgn2jvm1nq2hr7zjw4bqk-glibc-2.38-27/lib'],
  ['TMPDIR', '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/'],
  ['AGENT', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0'],
  ['LS_COLORS', 'rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35:do=01;35:bd=40;33;01:cd=40;33;01'],
  ['CFLAGS', '-O2 -g -fstack-protector-strong -Wformat -Werror=format-security -D_FORTIFY_SOURCE=2'],
  ['GOFLAGS', '-buildvcs=false -ldflags=-X=main.Version=1.2.3'],
  ['PROJECT', 'sk-learn-contrib-project-2024'],
  ['POD', 'my-app-7d4b9c6f5d-x2x9p'],
  ['MAX_TOKENS', '4096'],
  ['TOKEN_LIMIT', '100'],
  ['TOKENIZERS_PARALLELISM', 'false'],
  ['ALLOW_EMPTY_PASSWORD', 'yes'],
  ['DB_PASSWORD_FILE', '/run/nothing'],
  ['SSH_AUTH_SOCK', '/run/ssh.sock'],
  ['SORT_KEY', 'name'],
  ['CACHE_KEY', 'v1-linux-node24-lock'],
  ['KEYBOARD', 'us'],
  ['MONKEY', 'x'],
  ['PWD', '/workspace'],
  ['AUTHOR', 'Jane Doe <jane@example.org>'],
  ['EMPTY', ''],
];

const ghp = `ghp_${'a1B2'.repeat(9)}`;
const secret: readonly (readonly [string, string])[] = [
  ['GITHUB_TOKEN', 'x'],
  ['client_secret', 'x'],
  ['SECRET_SAUCE', 'x'],
  ['DB_PASSWORD', 'x'],
  ['PGPASSWORD', 'x'],
  ['MYSQL_PWD', 'x'],
  ['OPENAI_API_KEY', 'x'],
  ['apiKey', 'x'],
  ['AWS_SECRET_ACCESS_KEY', 'x'],
  ['AWS_ACCESS_KEY_ID', 'x'],
  ['npm_config__authToken', 'x'],
  ['GH_PAT', 'x'],
  ['GOOGLE_CREDENTIALS', '{"type":"service_account"}'],
  ['A', 'sk-proj-Ab3dEf6hIj9kLmN0pQrStUvWx_yz12345'],
  ['A', 'sk-0123456789abcdef0123456789abcdef'],
  ['A', ghp],
  ['A', `{"nested":{"value":"${ghp}"}}`],
  ['A', `https://${ghp}@example.org/repo.git`],
  ['A_URL', 'https://user:hunter2@example.org/'],
  ['A', Buffer.from(`https://user:hunter2@example.org/`).toString('base64')],
  ['A', `github_pat_${'x1Y2'.repeat(10)}`],
  ['A', 'xoxb-1234567890-abcdefghij'],
  ['A', `AKIA${'IOSFODNN7EXAMPLE'}`],
  ['A', `AIza${'SyA1234567890abcdefghijklmnopqrstuv'}`],
  ['A', 'glpat-abcdefghij1234567890'],
  ['A', `npm_${'aB3d'.repeat(9)}`],
  ['A', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc'],
  ['A', '-----BEGIN RSA PRIVATE KEY-----'],
  ['A', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N'],
  ['A', '{"headers":{"Authorization":"Bearer abcdefghijklmnopqrstuvwxyz"}}'],
  ['A', 'Server=db;User=me;Password=hunter22;'],
];

test('ordinary values are no secrets', async (t) => {
  for (const [name, value] of ordinary) t.equal(findSecret(name, value), undefined, `${name}=${value.slice(0, 60)}`);
});

test('refuses what is a secret by its name or its shape', async (t) => {
  for (const [name, value] of secret) {
    t.type(findSecret(name, value), 'string', `${name}=${value.slice(0, 24)}`);
    t.throws(() => checkEnvironment({ [name]: value }, () => 'here'), { code: 'ENV_SECRET' });
  }
});

test('most texts drawn at random are taken for secrets', async (t) => {
  const found = Array.from({ length: 500 }, () => findSecret('A', randomBytes(32).toString('base64')));
  t.ok(found.filter((reason) => reason !== undefined).length > 400);
});

test('no value takes long to judge', async (t) => {
  const worst = [
    'sk-',
    'a:',
    'eyJ',
    '://',
    '-----BEGIN ',
    'password ',
    'aA1',
    'http://a',
    'bearer ',
    '=a',
    'sha1-',
    'data:',
    'a',
  ];
  for (const part of worst) {
    t.doesNotThrow(() => findSecret('A', part.repeat(Math.ceil(32_768 / part.length))), part);
  }
});
