// Owns the proof that the parent proxy is who a person said it is, that edits keep comments, and that no credential is kept or said.
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { chooseParent, readParentProxy } from '../../lib/policy/parentProxy.ts';
import { policy } from '../policy/world.ts';
import { makeWorld, person } from './firewallWorld.ts';

const written = `# ours
global:   # everybody
  allow: [a.example]

# the end
`;

test('proxy says what environment and workspace name, and which holds', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, written, { mode: 0o600 });
  const { out } = await run({}, 'proxy');
  t.match(out, /^environment {2}names none\nworkspace {4}names none\nnone .*\neffective {4}none: /);
  const { out: json, status } = await run({}, 'proxy', '--json');
  const none = { environment: null, workspace: { file, url: null }, none: null };
  t.same(JSON.parse(json), { ...none, effective: { from: 'none', url: null, fault: null } });
  t.equal(status, 0);
});

test('set and clear change one line, and comments stay', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, written, { mode: 0o600 });
  const { out } = await run(person, 'proxy', '--set', 'http://Proxy.Example.org:3128/');
  t.match(out, 'effective    http://proxy.example.org:3128, of the workspace');
  t.equal(
    readFileSync(file, 'utf8'),
    written.replace('# the end\n', '# the end\nparentProxy: "http://proxy.example.org:3128"\n'),
  );
  await run(person, 'proxy', '--set', 'http://[fd00::1]:80');
  t.match(readFileSync(file, 'utf8'), '\nparentProxy: "http://[fd00::1]:80"\n');
  await run(person, 'proxy', '--set', 'http://[fd00::1]:80');
  await run(person, 'proxy', '--clear');
  t.equal(readFileSync(file, 'utf8'), written);
  await run(person, 'proxy', '--clear');
});

test('refuses another proxy without a person, and the way back too', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, written, { mode: 0o600 });
  await t.rejects(run({}, 'proxy', '--set', 'http://p.example:1'), { code: 'WIDENING_REFUSED' });
  t.equal(readFileSync(file, 'utf8'), written);
  await run(person, 'proxy', '--set', 'http://p.example:1');
  await t.rejects(run({}, 'proxy', '--clear'), { code: 'WIDENING_REFUSED' });
});

const bad: Readonly<Record<string, string>> = {
  credentials: 'http://user:s3cret@p.example:1',
  'a name without a password': 'http://s3cret@p.example:1',
  'another scheme': 'socks5://p.example:1',
  https: 'https://p.example:1',
  'a path': 'http://p.example:1/s3cret',
  'a query': 'http://p.example:1/?s3cret',
  'no scheme': 'p.example:1',
  'port 0': 'http://p.example:0',
  'a newline': 'http://p.example:1/\nhttp_access allow all',
  blanks: 'http://p example:1',
};

for (const [fault, url] of Object.entries(bad)) {
  test(`refuses ${fault}, and does not say what was given`, async (t) => {
    const { file, run } = makeWorld(t);
    writeFileSync(file, written, { mode: 0o600 });
    const error = await run(person, 'proxy', '--set', url).catch((cause: Error) => cause);
    t.match(error, { code: 'VALUE_INVALID' });
    t.notMatch(error instanceof Error ? error.message : '', 's3cret');
    t.equal(readFileSync(file, 'utf8'), written);
    writeFileSync(file, `parentProxy: ${JSON.stringify(url)}\n`);
    const loaded = await run({}, 'proxy').catch((cause: Error) => cause);
    t.match(loaded, { code: 'CONFIG_INVALID' }, 'nor is it taken from the file');
    t.notMatch(loaded instanceof Error ? loaded.message : '', 's3cret');
  });
}

const here = (url: string) => ({ HTTPS_PROXY: url });

test('the environment holds before the workspace, and only where the policy says so', (t) => {
  const [both, unasked] = [
    policy('parentProxy: "http://w.example:1"', 'environmentProxy: true'),
    policy('parentProxy: "http://w.example:1"'),
  ];
  const ofEnvironment = { from: 'environment', parent: { host: 'e.example' } };
  t.match(chooseParent(both, here('http://e.example:2')).effective, ofEnvironment);
  t.match(chooseParent(both, {}).effective, { from: 'workspace', parent: { host: 'w.example', port: 1 } });
  t.match(chooseParent(both, here('')).effective, { from: 'workspace' }, 'an empty variable names none');
  const choice = chooseParent(unasked, here('http://e.example:2'));
  t.match(choice, { environment: { permitted: false }, effective: { from: 'workspace' } });
  t.match(chooseParent(policy('global: {}'), here('http://e.example:2')).effective, { from: 'none' });
  const { effective } = chooseParent(both, { https_proxy: 'http://a.example:1', HTTPS_PROXY: 'http://b.example:1' });
  t.match(effective, { parent: { host: 'a.example' } });
  t.end();
});

test('an environment that may choose and cannot be understood lets nothing out', (t) => {
  const { effective } = chooseParent(policy('environmentProxy: true'), here('http://u:s3cret@e.example:2'));
  t.match(effective, { from: 'environment', fault: /^HTTPS_PROXY holds credentials/ });
  t.equal(effective.parent, undefined);
  t.notMatch(JSON.stringify(effective), 's3cret');
  t.end();
});

test('a proxy is written in one way', (t) => {
  t.match(readParentProxy('HTTP://P.Example'), {
    parent: { host: 'p.example', port: 80, text: 'http://p.example:80' },
  });
  t.match(readParentProxy('http://[FD00::1]:8'), { parent: { host: 'fd00::1', port: 8, text: 'http://[fd00::1]:8' } });
  t.end();
});
