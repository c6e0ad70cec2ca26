// Owns what `firewall` prints and refuses: who may widen, what explain says, and that no hostile name reaches a terminal.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { makeWorld, person, self, type Who } from './firewallWorld.ts';
import { hostileNames } from './hostileNames.ts';

test('a person allows, denies, removes and sees it', async (t) => {
  const { file, run, read } = makeWorld(t);
  const { out } = await run(person, 'allow', '--tool', 'web@v1', 'A.example', '*.b.example:8443');
  t.equal(out, `+ allow a.example for tool web@v1\n+ allow *.b.example:8443 for tool web@v1\nwritten to ${file}\n`);
  await run(person, 'deny', 'no.example');
  await run(person, 'allow', '--profile', 'py', '--for', '15m', 'c.example');
  t.match((await run(person, 'allow', '--tool', 'web@v1', 'a.example')).out, /^nothing to change/);
  const listed = (await run({}, 'list')).out;
  t.match(listed, /^RULE +HOST +FOR +UNTIL +SET IN\ndeny +no\.example +global +- +.*firewall\.yaml:\d+:\d+\n/);
  t.match(listed, /\nallow +c\.example +profile py +20\d\d-\S+Z +/);
  const json = JSON.parse((await run({}, 'list', '--json')).out);
  t.match(json, { file, mode: 'scoped', rules: [{ effect: 'deny' }, {}, {}, { name: 'py', live: true }] });
  await run(person, 'remove', '--tool', 'web@v1', 'a.example', '*.b.example:8443');
  t.notMatch(read(), /a\.example|b\.example/);
});

test('refuses to let more out unless a person is there', async (t) => {
  const { file, run, read } = makeWorld(t);
  writeFileSync(file, 'global: {deny: [no.example], allow: [yes.example]} # ours\n', { mode: 0o600 });
  const text = read();
  const widening = [
    ['allow', 'x.example'],
    ['allow', '--for', '1m', 'x.example'],
    ['allow', '--tool', 't', 'x.example'],
    ['remove', 'no.example'],
  ];
  const nobody: Who[] = [{}, { terminals: [true, true, false] }, { terminals: [false, true, true] }];
  for (const words of widening) {
    for (const who of nobody)
      await t.rejects(run(who, ...words), { code: 'WIDENING_REFUSED', exit: 2 }, words.join(' '));
    if (self !== 0) await t.rejects(run({}, ...words, '--yes'), { code: 'WIDENING_REFUSED' }, '--yes is for root');
    t.equal(read(), text);
  }
  t.match((await run({ uid: self }, 'allow', 'yes.example')).out, /^nothing to change/, 'what changes nothing is fine');
  await run({}, 'deny', 'more.example');
  await run({}, 'remove', 'yes.example');
  t.equal(
    read(),
    'global: {deny: [no.example, more.example], allow: []} # ours\n',
    'the control: tightening is for all',
  );
  await run(person, 'remove', 'no.example');
  t.notMatch(read(), /no\.example/, 'the control: a person may');
});

test('refuses --yes of anybody but root', async (t) => {
  const { file, run } = makeWorld(t);
  // Whoever runs this test owns the file; the command is told that it is somebody else, whom root's file serves too.
  if (self !== 0) {
    await t.rejects(run({}, 'allow', '--yes', 'x.example'), { code: 'WIDENING_REFUSED', message: /--yes is for root/ });
    return;
  }
  writeFileSync(file, '{}\n', { mode: 0o644 });
  await t.rejects(run({ uid: 4321 }, 'allow', '--yes', 'x.example'), {
    code: 'WIDENING_REFUSED',
    message: /--yes is for root/,
  });
  t.match((await run({ uid: 0 }, 'allow', '--yes', 'x.example')).out, /^\+ allow x\.example/, 'the control: root may');
});

test('explain says allow or deny, the rule, the file and the line', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, 'global:\n  deny: [no.example]\ntools:\n  web@v1:\n    allow:\n      - "*.a.example"\n', {
    mode: 0o600,
  });
  const ask = (...words: string[]) => run({}, 'explain', ...words);
  t.same(await ask('--tool', 'web@v1', 'X.a.example.'), {
    out: `allow  x.a.example:443\n  tool web@v1 allows *.a.example\n  ${file}:6:9\n  the name may lead to public addresses only\n`,
    err: '',
    status: 0,
  });
  t.match(await ask('no.example:22'), {
    out: /^deny {2}no\.example:22\n {2}global denies no\.example\n {2}.*:2:10\n$/,
    status: 1,
  });
  const other = await ask('--tool', 'web@v2', 'x.a.example');
  t.match(other, {
    out: /^deny .*\n {2}no rule allows it\n$/,
    err: /no rules for tool web@v2; did you mean "web@v1"/,
    status: 1,
  });
  t.match(JSON.parse((await ask('--json', '--tool', 'web@v1', 'x.a.example:8443')).out), {
    result: 'deny',
    reason: 'port',
    rule: { effect: 'allow', scope: 'tool', name: 'web@v1', host: '*.a.example', where: `${file}:6:9` },
    principal: { tool: 'web@v1', profile: null },
    limits: { atOnce: 64 },
  });
});

test('explain knows what a profile itself lists', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, 'global: {allow: [a.example, b.example]}\n', { mode: 0o600 });
  const profiles = join(dirname(file), 'profiles');
  mkdirSync(profiles, { mode: 0o755 });
  const profile = 'image: {name: base-tools}\nnetwork: {mode: proxy, allow: [b.example, c.example]}\n';
  writeFileSync(join(profiles, 'mine.yaml'), profile, { mode: 0o644 });
  const ask = async (...words: string[]) => (await run({}, 'explain', ...words)).out;
  t.match(await ask('a.example'), /^allow /, 'control');
  t.match(await ask('--profile', 'mine', 'a.example'), /^deny .*\n {2}the profile of the run does not list it/);
  t.match(await ask('--profile', 'mine', 'b.example'), /^allow /);
  t.match(await ask('--profile', 'mine', 'c.example'), /^deny .*\n {2}no rule allows it/, 'it adds none');
  t.match(await ask('--profile', 'theirs', 'a.example'), /^allow /, 'a profile that is not here');
  writeFileSync(join(profiles, 'mine.yaml'), profile.replace('c.example', '127.0.0.1'), { mode: 0o644 });
  await t.rejects(run({}, 'explain', '--profile', 'mine', 'b.example'), { code: 'CONFIG_INVALID' });
});

test('the command that would allow it is for a person’s terminal alone', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, 'global: {deny: [no.example]}\n', { mode: 0o600 });
  const ask = async (who: Who, ...words: string[]) => (await run(who, 'explain', '--tool', 'web@v1', ...words)).out;
  t.match(await ask(person, 'x.example:22'), /\n {2}to allow it: firewall allow --tool web@v1 x\.example:22\n$/);
  for (const out of [
    await ask({}, 'x.example'),
    await ask({ terminals: [true, false, true] }, 'x.example'),
    await ask(person, '--json', 'x.example'),
  ])
    t.notMatch(out, /firewall allow/);
  for (const host of ['no.example', '127.0.0.1'])
    t.notMatch(await ask(person, host), /to allow it/, 'what it would not help');
});

test('an allowance that a denial is in the way of, and a name like another, are pointed out', async (t) => {
  const { run } = makeWorld(t);
  await run(person, 'deny', '.no.example');
  t.match(
    (await run(person, 'allow', '--tool', 'web@v1', '*.no.example')).err,
    /\*\.no\.example stays denied: global denies \.no\.example, /,
  );
  t.match(
    (await run(person, 'allow', 'p\u0430ypal.example')).err,
    /look twice: xn--pypal-4ve\.example: ".*" mixes Latin and Cyrillic/,
  );
  t.equal((await run(person, 'allow', 'paypal.example')).err, '', 'the control');
});

test('refuses what cannot be meant', async (t) => {
  const { run } = makeWorld(t);
  const cases: readonly (readonly [code: string, words: readonly string[]])[] = [
    ['PATTERN_INVALID', ['allow', '127.0.0.1']],
    ['PATTERN_INVALID', ['deny', '*']],
    ['USAGE', ['allow', '--tool', 'Web Search', 'a.example']],
    ['USAGE', ['explain', '--profile', '../x', 'a.example']],
    ['VALUE_INVALID', ['allow', '--for', '15', 'a.example']],
    ['VALUE_INVALID', ['allow', '--for', '8d', 'a.example']],
    ['VALUE_INVALID', ['allow', '--for', '999ms', 'a.example']],
    ['RULE_UNKNOWN', ['remove', 'a.example']],
    ['commander.conflictingOption', ['allow', '--tool', 'a', '--profile', 'b', 'a.example']],
    ['commander.missingArgument', ['allow']],
    ['commander.unknownCommand', ['alow', 'a.example']],
  ];
  for (const [code, words] of cases) await t.rejects(run(person, ...words), { code }, words.join(' '));
});

test('refuses to change the policy of root where a user has none of their own', async (t) => {
  const { file, hostConfig, run } = makeWorld(t);
  mkdirSync(dirname(hostConfig), { mode: 0o755 });
  writeFileSync(hostConfig, 'allowUserPolicy: false\n', { mode: 0o644 });
  writeFileSync(file, 'global: {allow: [a.example]}\n', { mode: 0o600 });
  const user: Who = { ...person, uid: 4321 };
  for (const verb of ['allow', 'deny', 'remove'])
    await t.rejects(run(user, verb, 'a.example'), { code: self === 0 ? 'HOST_FORBIDS' : 'CONFIG_UNREADABLE' }, verb);
  if (self !== 0) return;
  const found = await run(user, 'list').catch((thrown: Error) => ({ out: thrown.message }));
  t.notMatch(found.out, /a\.example/, 'theirs is not even read');
  t.match((await run({ ...person, uid: 0 }, 'list')).out, /a\.example/, 'the control: root has the one of root');
  writeFileSync(hostConfig, 'egress: system\n');
  const refused = { code: 'HOST_FORBIDS', message: /egress|config\.yaml/ };
  await t.rejects(run(user, 'allow', 'b.example'), refused, "the host's service knows that one alone");
});

test('refuses to answer where there is no policy', async (t) => {
  const { run } = makeWorld(t);
  for (const words of [['list'], ['explain', 'a.example']])
    await t.rejects(run(person, ...words), { code: 'POLICY_MISSING' });
});

test('replay lists what would newly pass and newly fail', async (t) => {
  const { file, run } = makeWorld(t);
  const folder = dirname(file);
  const entry = (host: string, result: string, tool: string | null = null) =>
    JSON.stringify({ time: 1, run: 'r1', tool, profile: 'py', host, port: 443, result });
  const log = [entry('same.example', 'allow'), entry('new.example', 'deny'), entry('NEW.example.', 'deny')];
  writeFileSync(join(folder, 'log'), `${log.join('\n')}\n${entry('old.example', 'allow', 'web@v1')}\n\n`);
  writeFileSync(join(folder, 'next.yaml'), 'global:\n  allow:\n    - same.example\n    - new.example\n');
  const words = ['replay', join(folder, 'log'), '--policy', join(folder, 'next.yaml')];
  const { out, status } = await run({}, ...words);
  t.match(out, /\nallow +new\.example:443 +py +2 +global allows new\.example, .*next\.yaml:4:7\n/);
  t.match(
    out,
    /\ndeny +old\.example:443 +web@v1, py +1 +no rule allows it\n4 requests: 1 hosts would newly pass, 1 newly fail\n$/,
  );
  t.equal(status, 1);
  const json = JSON.parse((await run({}, ...words, '--json')).out);
  t.match(json, {
    total: 4,
    unreadable: [],
    unkept: 0,
    turns: [{ host: 'new.example', before: 'deny', now: 'allow', times: 2 }, {}],
  });
  writeFileSync(join(folder, 'log'), `${log[0]}\n`);
  t.match(
    await run({}, ...words),
    { out: '1 requests: 0 hosts would newly pass, 0 newly fail\n', status: 0 },
    'the control',
  );
});

test('refuses to replay what is not there, and says which lines are no entries', async (t) => {
  const { file, run } = makeWorld(t);
  const [folder, none] = [dirname(file), join(dirname(file), 'none')];
  await t.rejects(run({}, 'replay', none, '--policy', none), { code: 'POLICY_MISSING' });
  writeFileSync(file, '{}\n');
  await t.rejects(run({}, 'replay', none, '--policy', file), { code: 'CONFIG_UNREADABLE' });
  await t.rejects(run({}, 'replay', none), { code: 'commander.missingMandatoryOptionValue' });
  const lines = ['{', '[]', '{"host":"a.example","port":"443","result":"allow"}', `{"host":"${'a'.repeat(70_000)}"}`];
  const hostile = { host: '\u001b[31m\u202ea', port: 443, result: 'allow', tool: '\u001b[2J' };
  writeFileSync(join(folder, 'log'), [...lines, JSON.stringify(hostile)].join('\n'));
  const said = await run({}, 'replay', join(folder, 'log'), '--policy', file);
  t.match(said, { err: 'firewall: 4 lines are no entries, the first is line 1\n', status: 1 });
  t.notMatch(said.out, /[\u0000-\u0009\u000b-\u001f\u202e]/);
});

test('no command prints control, bidi or invisible characters of a host, a tool or a file', async (t) => {
  const { file, run } = makeWorld(t);
  writeFileSync(file, 'global: {allow: [a.example]}\n', { mode: 0o600 });
  for (const name of hostileNames) {
    for (const words of [
      ['explain', name],
      ['explain', '--json', name],
      ['explain', '--tool', name, 'a.example'],
      ['allow', name],
      ['deny', name],
      ['remove', name],
    ]) {
      const said = await run(person, ...words).catch((thrown: Error) => ({
        out: thrown.message,
        err: String(Reflect.get(thrown, 'details')),
      }));
      t.notMatch(
        `${said.out}${said.err}`,
        /[\u0000-\u0009\u000b-\u001f\u007f\u200b\u202e\u2066]/,
        `${words[0]} ${JSON.stringify(name)}`,
      );
    }
  }
});

test('help of every command has examples; completion offers what there is', async (t) => {
  const { run } = makeWorld(t);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { out } = await run({}, 'completion', shell);
    t.match(out, /explain[\s\S]*firewall/);
  }
});
