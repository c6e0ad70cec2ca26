// Owns the proof that firewall.yaml is read strictly, with a place for every fault, and only from who may write it.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { loadPolicy, parsePolicy, policyFileOf } from '../../lib/policy/load.ts';

const self = process.getuid?.() ?? 0;

function folderOf(t: Test): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-policy-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const faults: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
  'an unknown key': ['globl: {}', /^f:1:1 {2}globl: unknown key; did you mean "global"\?$/],
  'an unknown key of a scope': [
    'tools:\n  web@v1:\n    alow: []',
    /^f:3:5 {2}tools\.web@v1\.alow: unknown key; did you mean "allow"\?$/,
  ],
  'an unknown limit': [
    'global:\n  limits: {perRun: {byts: 1k}}',
    /^f:2:21 {2}.*byts: unknown key; did you mean "bytes"\?$/,
  ],
  'an address': [
    'global:\n  allow:\n    - a.example\n    - 0x7f.1',
    /^f:4:7 {2}global\.allow\[1\]: "0x7f\.1" is an IP address/,
  ],
  'a number': ['global: {allow: [2130706433]}', /^f:1:18 {2}global\.allow\[0\]: must be a host pattern in quotes$/],
  everything: ['global: {allow: ["*"]}', /stands for every host/],
  'a public suffix': ['global: {deny: ["*.com"]}', /public suffix/],
  'a list that is none': ['global: {allow: a.example}', /^f:1:10 {2}global\.allow: must be a list/],
  'a list without a value': ['global:\n  allow:\n', /^f:2:3 {2}global\.allow: has no value/],
  'the name of a tool': ['tools: {"Web Search": {}}', /tools.*not the id of a tool/],
  'the name of a profile': ['profiles: {"a/b": {}}', /profiles.*not the name of a profile/],
  'another mode': ['mode: scopd', /^f:1:1 {2}mode: must be one of scoped, strict; did you mean "scoped"\?$/],
  'a server by name': ['dns: {servers: [dns.example]}', /dns\.servers\[0\]: is not an IP address/],
  'a server with a zone': ['dns: {servers: ["fe80::1%eth0"]}', /is not an IP address/],
  'an exception for the loopback': [
    'global: {private: [{host: a.example, addresses: [127.0.0.1]}]}',
    /is not a private network/,
  ],
  'an exception for nothing': ['global: {private: [{host: a.example, addresses: []}]}', /at least 1/],
  'a grant without an end': ['grants: [{host: a.example}]', /grants\[0\]\.until: missing/],
  'a grant until a day': ['grants: [{host: a.example, until: 2027-01-01}]', /not a time such as/],
  'a grant until a time nowhere': ['grants: [{host: a.example, until: "2027-01-01T00:00:00"}]', /not a time such as/],
  'a grant for two': [
    'grants: [{host: a.example, until: "2027-01-01T00:00:00Z", tool: a, profile: b}]',
    /names a tool and a profile/,
  ],
  'a grant of no boot': ['grants: [{host: a.example, until: "2027-01-01T00:00:00Z", boot: x}]', /not BOOT-ID@SECONDS/],
  'a negative bound': ['global: {limits: {atOnce: -1}}', /at least 0/],
  'bytes without bounds': ['global: {limits: {perRun: {bytes: 999999999999t}}}', /must be at most 64t/],
  'a number of bytes': ['global: {limits: {perRun: {bytes: 1024}}}', /not a size/],
};

test('refuses every fault at its line and key', async (t) => {
  for (const [title, [text, message]] of Object.entries(faults))
    t.throws(
      () => parsePolicy(text, 'f'),
      { code: 'CONFIG_INVALID', message, remedy: /docs\/firewall\.md/ },
      `refuses ${title}`,
    );
});

test('refuses what is not YAML or means another thing than it says', async (t) => {
  for (const text of ['', ' \n', 'global: {allow: [*x]}', 'global: {}\nglobal: {}', 'a: &a 1', '__proto__: {}'])
    t.throws(() => parsePolicy(text, 'f'), { code: 'YAML_INVALID' }, JSON.stringify(text));
});

test('a fault does not carry the escapes of what is written', async (t) => {
  for (const text of ['global: {allow: ["\\e[31m\\u202ea.example"]}', '"\\e[31m": 1', 'tools: {"\\u200b": {}}']) {
    const message = t.throws(() => parsePolicy(text, 'f'));
    t.notMatch(String(message), /[\u0000-\u0009\u001b\u200b\u202e]/);
  }
});

test('refuses a policy that is not there', async (t) => {
  const folder = folderOf(t);
  for (const file of [join(folder, 'firewall.yaml'), join(folder, 'none/firewall.yaml')])
    t.throws(() => loadPolicy({ file, uid: self }), { code: 'POLICY_MISSING', exit: 125 });
  writeFileSync(join(folder, 'firewall.yaml'), '{}', { mode: 0o600 });
  t.match(loadPolicy({ file: join(folder, 'firewall.yaml'), uid: self }), { mode: 'scoped', rules: [] }, 'the control');
});

test('refuses a policy that others may write, by itself, by its folder, by a link', async (t) => {
  const folder = folderOf(t);
  const [real, file] = [join(folder, 'real'), join(folder, 'own/firewall.yaml')];
  for (const made of [real, join(folder, 'own')]) mkdirSync(made, { mode: 0o755 });
  writeFileSync(join(real, 'f.yaml'), '{}', { mode: 0o644 });
  symlinkSync('../real/f.yaml', file);
  const load = () => loadPolicy({ file, uid: self });
  t.ok(load(), 'the control: a link of a careful person');
  for (const path of [join(real, 'f.yaml'), real, join(folder, 'own')]) {
    for (const mode of [0o775, 0o757]) {
      chmodSync(path, mode);
      t.throws(load, { code: 'CONFIG_UNREADABLE', message: /others may write/ }, `${path} ${mode.toString(8)}`);
    }
    chmodSync(path, 0o755);
  }
  t.ok(load(), 'the control');
});

test('refuses a policy of another user; takes root’s', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'firewall.yaml');
  writeFileSync(file, '{}', { mode: 0o644 });
  const uid = self + 4000;
  if (self === 0) {
    t.ok(loadPolicy({ file, uid }));
    chownSync(file, 4001, 4001);
  }
  t.throws(() => loadPolicy({ file, uid }), { code: 'CONFIG_UNREADABLE', message: /belongs to uid/ });
});

test('refuses a folder, a fifo’s like, more than 4 MiB and what is not UTF-8', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'firewall.yaml');
  mkdirSync(file);
  t.throws(() => loadPolicy({ file, uid: self }), { code: 'CONFIG_UNREADABLE' });
  rmSync(file, { recursive: true });
  for (const content of [Buffer.from([0x61, 0x3a, 0xff]), '#'.repeat(4 * 1024 * 1024 + 1)]) {
    writeFileSync(file, content, { mode: 0o600 });
    t.throws(() => loadPolicy({ file, uid: self }), { code: 'CONFIG_UNREADABLE' });
  }
});

test('the policy lies beside the profiles of its user', async (t) => {
  const paths = {
    hostConfig: '',
    data: '',
    state: '',
    run: '',
    imageStores: [],
    install: '',
    config: '/etc/cofferdam',
  };
  t.equal(policyFileOf(paths), '/etc/cofferdam/firewall.yaml');
});
