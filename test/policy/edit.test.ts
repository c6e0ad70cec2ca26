// Owns the proof that edits of a policy do what they say, keep the rest, and are judged before they are written.
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { CofferdamError } from '../../lib/base/errors.ts';
import { endAfter } from '../../lib/policy/clock.ts';
import { editPolicy, emptyPolicy, type PolicyEdit, readPatterns } from '../../lib/policy/edit.ts';
import { type EditRequest, editPolicyFile } from '../../lib/policy/editFile.ts';
import { loadPolicy, parsePolicy } from '../../lib/policy/load.ts';
import { globalScope, type Scope } from '../../lib/policy/policy.ts';
import { clock } from './world.ts';

const self = process.getuid?.() ?? 0;
const tool: Scope = { kind: 'tool', name: 'web@v1' };

const written = [
  '# Ours.',
  'global:',
  '  allow:          # for all',
  '    - a.example   # asked for by A',
  '    # the mirror',
  '    - "*.b.example"',
  '  deny: [no.example]   # never',
  'tools:',
  '  web@v1: {allow: [c.example]}',
  '# end',
  '',
].join('\n');

function made(verb: PolicyEdit['verb'], scope: Scope, hosts: readonly string[], text = written): string {
  const end = verb === 'grant' ? { end: endAfter(900_000, clock) } : {};
  return editPolicy(text, 'f', { verb, scope, patterns: readPatterns(hosts), ...end }, clock);
}

const rulesOf = (text: string) =>
  parsePolicy(text, 'f').rules.map(
    ({ effect, scope, pattern, end }) => `${effect} ${pattern.text} ${scope.kind}${end ? ' for a time' : ''}`,
  );

const before = ['allow a.example global', 'allow *.b.example global', 'deny no.example global', 'allow c.example tool'];

function linesLost(text: string, after: string): string[] {
  return text.split('\n').filter((line) => !after.split('\n').includes(line));
}

test('allow and deny add one rule and leave every line that was there', async (t) => {
  for (const verb of ['allow', 'deny'] as const) {
    for (const scope of [
      globalScope,
      tool,
      { kind: 'profile', name: 'py' } as const,
      { kind: 'tool', name: 'new' } as const,
    ]) {
      const after = made(verb, scope, ['New.Example.:8443']);
      t.same(
        rulesOf(after).filter((rule) => !before.includes(rule)),
        [`${verb} new.example:8443 ${scope.kind}`],
      );
      const lost = linesLost(written, after);
      t.ok(
        lost.every((line) => /^\s+(?:deny: \[|web@v1: \{)/.test(line)),
        'a list on one line grows on its line',
      );
    }
  }
});

test('what is there already is not added again, in whatever spelling', async (t) => {
  t.equal(made('allow', globalScope, ['A.EXAMPLE.', '*.b.example']), written);
  t.equal(made('deny', globalScope, ['no.example']), written);
  t.not(made('allow', tool, ['a.example']), written, 'the control: in another scope it is another rule');
  t.equal(rulesOf(made('allow', tool, ['d.example', 'd.example'])).length, before.length + 1);
});

test('remove takes a host out of every list of its scope, and no other', async (t) => {
  const text = made('deny', globalScope, ['a.example'], made('allow', tool, ['a.example']));
  const after = made('remove', globalScope, ['a.example'], text);
  t.same(rulesOf(after), [
    'allow *.b.example global',
    'deny no.example global',
    'allow c.example tool',
    'allow a.example tool',
  ]);
  t.match(after, /# the mirror\n/);
});

test('what is added and removed again leaves the text as it was', async (t) => {
  for (const scope of [globalScope, tool])
    t.equal(made('remove', scope, ['x.example'], made('allow', scope, ['x.example'])), written);
});

test('refuses to remove what is not there, and says what is near', async (t) => {
  t.throws(() => made('remove', globalScope, ['aa.example']), {
    code: 'RULE_UNKNOWN',
    message: /did you mean "a\.example"/,
  });
  t.throws(() => made('remove', globalScope, ['c.example']), {
    code: 'RULE_UNKNOWN',
    message: /there is one for tool web@v1/,
  });
  t.throws(() => made('remove', tool, ['a.example', 'b.example']), { code: 'RULE_UNKNOWN' });
});

test('a grant is an entry with both ends; the next takes its place; ended ones go', async (t) => {
  const once = made('grant', tool, ['x.example']);
  t.same(linesLost(written, once), []);
  t.match(
    once,
    /\ngrants:\n {2}- host: x\.example\n {4}tool: web@v1\n {4}until: "2026-06-01T12:15:00\.000Z"\n {4}boot: "0f0e0d0c-[0-9a-f-]+@1900"\n/,
  );
  t.same(rulesOf(once), [...before, 'allow x.example tool for a time']);
  t.equal(rulesOf(made('grant', tool, ['x.example'], once)).length, before.length + 1);
  t.equal(rulesOf(made('grant', globalScope, ['x.example'], once)).length, before.length + 2);
  const later = { ...clock, wallMs: clock.wallMs + 900_000 };
  const edit: PolicyEdit = {
    verb: 'grant',
    scope: globalScope,
    patterns: readPatterns(['y.example']),
    end: endAfter(1000, later),
  };
  t.same(rulesOf(editPolicy(once, 'f', edit, later)), [...before, 'allow y.example global for a time']);
});

test('refuses patterns that are none, and names all of them', async (t) => {
  const error = t.throws(() => readPatterns(['a.example', '*', '127.0.0.1'])) as unknown as CofferdamError;
  t.match(error, { code: 'PATTERN_INVALID', exit: 2, details: [/every host/, /IP address/] });
});

function fileOf(t: Test): { folder: string; file: string; request: EditRequest & { edit: PolicyEdit } } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-edit-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'firewall.yaml');
  const edit: PolicyEdit = { verb: 'allow', scope: globalScope, patterns: readPatterns(['x.example']) };
  return { folder, file, request: { file, uid: self, edit, clock, permit: () => undefined } };
}

test('the first edit makes a file of our own, for nobody else to write', async (t) => {
  const { folder, file, request } = fileOf(t);
  const { policy, changes } = await editPolicyFile(request);
  t.match(changes, [{ effect: 'widens', text: '+ allow x.example for global' }]);
  t.same(policy.rules, loadPolicy({ file, uid: self }).rules);
  t.equal(statSync(file).mode & 0o7777, self === 0 ? 0o644 : 0o600);
  t.ok(readFileSync(file, 'utf8').startsWith(emptyPolicy.trimEnd()));
  t.same(readdirSync(folder), ['firewall.yaml'], 'and nothing beside it');
});

test('refuses what is not permitted, and nothing is written', async (t) => {
  const { folder, file, request } = fileOf(t);
  const seen: string[] = [];
  const permit: EditRequest['permit'] = (changes) => {
    seen.push(...changes.map(({ effect }) => effect));
    throw new CofferdamError('WIDENING_REFUSED', 'no');
  };
  await t.rejects(editPolicyFile({ ...request, permit }), { code: 'WIDENING_REFUSED' });
  t.same([seen, readdirSync(folder)], [['widens'], []]);
  writeFileSync(file, written, { mode: 0o600 });
  await t.rejects(editPolicyFile({ ...request, permit }), { code: 'WIDENING_REFUSED' });
  t.equal(readFileSync(file, 'utf8'), written);
});

test('refuses to edit a broken file', async (t) => {
  const { file, request } = fileOf(t);
  for (const [text, code] of [
    ['globl: {}', 'CONFIG_INVALID'],
    ['{', 'YAML_INVALID'],
    ['', 'YAML_INVALID'],
  ] as const) {
    writeFileSync(file, text, { mode: 0o600 });
    await t.rejects(editPolicyFile(request), { code });
    t.equal(readFileSync(file, 'utf8'), text);
  }
});

test('a link stays a link, and a mode a mode', async (t) => {
  const { folder, file, request } = fileOf(t);
  writeFileSync(join(folder, 'real.yaml'), written);
  chmodSync(join(folder, 'real.yaml'), 0o640);
  symlinkSync('real.yaml', file);
  await editPolicyFile(request);
  t.ok(lstatSync(file).isSymbolicLink());
  t.match(readFileSync(join(folder, 'real.yaml'), 'utf8'), /x\.example/);
  t.equal(statSync(file).mode & 0o7777, 0o640);
});

test('a folder that is a link is followed', async (t) => {
  const { folder, request } = fileOf(t);
  symlinkSync('.', join(folder, 'link'));
  await editPolicyFile({ ...request, file: join(folder, 'link/firewall.yaml') });
  t.same(readdirSync(folder).toSorted(), ['firewall.yaml', 'link']);
});

test('of edits at the same time none is lost', async (t) => {
  const { file, request } = fileOf(t);
  const hosts = Array.from({ length: 6 }, (_, i) => `h${i}.example`);
  await Promise.all(
    hosts.map((host) => editPolicyFile({ ...request, edit: { ...request.edit, patterns: readPatterns([host]) } })),
  );
  t.same(
    loadPolicy({ file, uid: self })
      .rules.map(({ pattern }) => pattern.text)
      .toSorted(),
    hosts,
  );
});
