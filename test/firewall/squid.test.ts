// Owns the text that policies become for Squid: the same bytes each time, taken by the real one, nothing in it from outside.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError } from '../../lib/base/errors.ts';
import { systemPath } from '../../lib/base/exec.ts';
import { numberPrincipals } from '../../lib/firewall/squid/numbers.ts';
import { strictSquidFolder } from '../../lib/firewall/squid/places.ts';
import { renderSquid, type SquidInput } from '../../lib/firewall/squid/render.ts';
import { matchGolden } from '../golden.ts';
import { clock, policy } from '../policy/world.ts';

const env = { PATH: systemPath, LANG: 'C.UTF-8' };

const sample = policy(
  'global: {deny: [.tracker.example], allow: [docs.example.org]}',
  'profiles:',
  '  python-tools: {allow: [".packages.example.org", "a.packages.example.org", "deep.within.packages.example.org:8443"]}',
  'tools:',
  '  web.search@v1:',
  '    allow: ["*.example.org", "files.example.org:8443", "*.deep.example.org"]',
  '    deny: ["admin.example.org:443"]',
  '    private:',
  '      - {host: "*.corp.example", addresses: [10.1.0.0/16, 10.1.2.0/24]}',
  '      - {host: intranet.example, addresses: ["fd00:1::/32"]}',
  '  ended@v1: {}',
  'grants:',
  '  - {host: soon.example.org, tool: ended@v1, until: "2026-06-01T12:00:01Z"}',
  '  - {host: over.example.org, tool: ended@v1, until: "2026-06-01T11:59:59Z"}',
);

const input: SquidInput = {
  ...{ policy: sample, clock, port: 3129, numbers: numberPrincipals(sample), parent: undefined, sni: 'off' },
  ...{ dnsServers: ['192.0.2.53'], logFile: '/run/x/access.fifo', cacheLog: '/run/x/cache.log', fdLimit: 4096 },
  pagesFolder: '/run/x/pages',
};

const nothing = policy('global: {}');
const inputs: Readonly<Record<string, SquidInput>> = {
  sample: input,
  nothing: { ...input, policy: nothing, numbers: numberPrincipals(nothing), dnsServers: [] },
  parent: { ...input, parent: { host: 'proxy.example.org', port: 8888, text: 'http://proxy.example.org:8888' } },
  strict: { ...input, sni: 'strict', certificate: '/run/x/certificate.pem' },
};

for (const [name, one] of Object.entries(inputs)) {
  test(`the squid.conf of ${name} is the golden one, and Squid takes it`, (t) => {
    const text = renderSquid(one);
    matchGolden(t, join(import.meta.dirname, 'golden', `${name}.squid.conf`), text);
    t.equal(text, renderSquid({ ...one }), 'the same bytes');
    const folder = mkdtempSync(join(tmpdir(), 'cofferdam-conf-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const [conf, pem] = [join(folder, 'squid.conf'), join(folder, 'certificate.pem')];
    mkdirSync(join(folder, 'pages'));
    writeFileSync(conf, text.replaceAll('/run/x', folder));
    const curve = ['-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const key = ['-newkey', 'ec', ...curve, '-nodes', '-keyout', pem, '-out', `${pem}.crt`];
    execFileSync('openssl', ['req', '-x509', '-subj', '/CN=test', ...key], { env, stdio: 'pipe' });
    execFileSync('sh', ['-c', `cat '${pem}.crt' >>'${pem}'`], { env });
    const squid = one.sni === 'strict' ? `${strictSquidFolder}/usr/sbin/squid` : 'squid';
    const { status, stderr } = spawnSync(squid, ['-n', 'cofferdamtest', '-k', 'parse', '-f', conf], {
      env,
      encoding: 'utf8',
    });
    t.equal(status, 0, stderr);
    const words = stderr.split('\n').filter((line) => /\b(?:WARNING|ERROR|FATAL)\b/.test(line));
    // It may warn of one thing alone, which is wanted.
    for (const line of words) t.match(line, 'HTTP requires the use of Via');
    t.end();
  });
}

test('the order of lists and of keys in a policy is not in the text', (t) => {
  const one = policy(
    'global: {allow: [a.example.org, b.example.org, .c.example.org]}',
    'tools: {x: {deny: [d.example]}, y: {}}',
  );
  const other = policy(
    'tools: {y: {}, x: {deny: [d.example]}}',
    'global: {allow: [.c.example.org, b.example.org, a.example.org]}',
  );
  const render = (which: typeof one) => renderSquid({ ...input, policy: which, numbers: numberPrincipals(which) });
  t.equal(render(one), render(other));
  t.end();
});

test('an entry within another is left out, whichever comes first', (t) => {
  const render = (...allow: string[]) => {
    const one = policy(`global: {allow: [${allow.map((text) => `"${text}"`).join(', ')}]}`);
    return renderSquid({ ...input, policy: one, numbers: numberPrincipals(one) }).match(/^acl global_allow.*$/gm);
  };
  t.strictSame(render('.x.example', 'a.x.example'), ['acl global_allow dstdomain -n .x.example']);
  t.strictSame(render('a.x.example', '.x.example', 'x.example'), ['acl global_allow dstdomain -n .x.example']);
  t.strictSame(render('*.x.example', '.x.example'), ['acl global_allow dstdomain -n .x.example']);
  t.strictSame(render('*.x.example', 'x.example'), [
    'acl global_allow dstdomain -n x.example',
    'acl global_allow_below dstdomain -n .x.example',
    'acl global_allow_base dstdomain -n x.example',
  ]);
  t.strictSame(render('*.x.example', '.a.x.example', '*.a.x.example', 'a.x.example'), [
    'acl global_allow_below dstdomain -n .x.example',
    'acl global_allow_base dstdomain -n x.example',
  ]);
  t.end();
});

const bad: Readonly<Record<string, Partial<SquidInput>>> = {
  'a port beyond the last': { port: 65_536 },
  'a name for a DNS server': { dnsServers: ['dns.example.org'] },
  'a DNS server with a zone id': { dnsServers: ['fe80::1%eth0'] },
  'a path with a newline': { logFile: '/run/x\nhttp_access allow all' },
  'a path with a blank': { cacheLog: '/run/a b' },
  'a path with a macro': { logFile: '/run/${service_name}' },
  'sni strict without a certificate': { sni: 'strict' },
  'too few files': { fdLimit: 1 },
};

for (const [fault, part] of Object.entries(bad)) {
  test(`refuses ${fault}`, (t) => {
    try {
      renderSquid({ ...input, ...part });
      t.fail('it was rendered');
    } catch (cause) {
      t.type(cause, CofferdamError);
      t.equal((cause as CofferdamError).code, 'FIREWALL_INPUT');
    }
    t.end();
  });
}

test('ten thousand hosts are rendered and taken', (t) => {
  const hosts = Array.from({ length: 10_000 }, (_, i) => `h${i}.example.org`);
  const one = policy(`global: {allow: [${hosts.join(', ')}]}`);
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-conf-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const conf = join(folder, 'squid.conf');
  writeFileSync(conf, renderSquid({ ...input, policy: one, numbers: numberPrincipals(one) }));
  t.equal(spawnSync('squid', ['-n', 'cofferdamtest', '-k', 'parse', '-f', conf], { env }).status, 0);
  t.end();
});
