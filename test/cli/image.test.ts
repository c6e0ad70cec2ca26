import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError } from '../../lib/base/errors.ts';
import type { CliContext } from '../../lib/cli/context.ts';
import { imageCommand } from '../../lib/cli/image.ts';
import type { RunInside } from '../../lib/cli/image-check.ts';
import { checkScript, contractChecks } from '../../lib/image/contract.ts';
import { digestOf, installImage, makeRecord, ownFolder } from '../image/fixtures.ts';
import { plainStreams } from './quietContext.ts';

const install = join(import.meta.dirname, '../..');

function world(store: string, runInside: RunInside = async () => ({ exitCode: 0, stdout: '', stderr: '' })) {
  const said = { out: '', err: '', status: undefined as number | undefined };
  const folders = { hostConfig: '', config: store, data: store, state: store, run: store };
  const context: CliContext = {
    paths: { ...folders, imageStores: [store], install },
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    cwd: store,
    env: {},
    terminal: plainStreams(
      (text) => {
        said.out += text;
      },
      (text) => {
        said.err += text;
      },
    ),
    version: '0',
    signal: new AbortController().signal,
    exit: (status) => {
      said.status = status;
    },
  };
  const command = imageCommand(context, runInside);
  for (const verb of [command, ...command.commands])
    verb.exitOverride().configureOutput({ writeOut: (text) => context.terminal.out(text), writeErr: () => {} });
  return { said, run: (...argv: string[]) => command.parseAsync(argv, { from: 'user' }) };
}

const evil = '\u001b[2J\u202eevil\nline';

test('hostile text in a registry reaches the terminal as one harmless line', async (t) => {
  const store = ownFolder(t);
  const labels = { a: evil };
  installImage(store, makeRecord({ description: evil, version: evil, builtAt: evil, labels, drift: [evil] }));
  for (const argv of [['ls'], ['inspect', 'small']]) {
    const { said, run } = world(store);
    await run(...argv);
    t.match(said.out, 'small');
    t.notMatch(said.out, /[\u001b\u202e]/, argv.join(' '));
  }
});

test('ls shows what is built, what is older, and what can be built', async (t) => {
  const store = ownFolder(t);
  installImage(store, makeRecord());
  installImage(store, makeRecord({ digest: digestOf('b') }));
  const { said, run } = world(store);
  await run('ls', '--json');
  const list = JSON.parse(said.out).map((image: { name: string; status: string }) => `${image.name} ${image.status}`);
  t.same(list.slice(-2), ['small ready', 'small older']);
  t.ok(list.includes('python-tools not built'));
});

test('check passes when every check passes, and names what is missing otherwise', async (t) => {
  const store = ownFolder(t);
  const record = makeRecord({ capabilities: { ...makeRecord().capabilities, tools: ['jq'] } });
  installImage(store, record);
  const all = contractChecks(record.capabilities).map(({ id }) => `PASS ${id}\n`);
  const seen: string[][] = [];
  const answer =
    (stdout: string): RunInside =>
    async (_, argv) => {
      seen.push(argv);
      return { exitCode: 0, stdout, stderr: '' };
    };
  const good = world(store, answer(all.join('')));
  await good.run('check', 'small');
  t.match(good.said.out, /^small: \d+ passed, 0 failed$/m);
  t.same(seen[0], ['/bin/sh', '-c', checkScript(record)]);
  const bad = world(store, answer(all.join('').replace('PASS tool.jq', 'FAIL tool.jq x')));
  await t.rejects(bad.run('check', 'small'), {
    code: 'IMAGE_CONTRACT',
    details: ['small: tool.jq: lacks the tool jq'],
  });
  await t.rejects(world(store, answer('')).run('check', 'small'), { code: 'IMAGE_CONTRACT' }, 'silence is no pass');
});

for (const [fault, argv, code] of [
  ['a build of nothing', ['build'], 'USAGE'],
  ['a build of an unknown image', ['build', 'pyton-tools'], 'IMAGE_UNKNOWN'],
  ['a build of a path', ['build', '../../x'], 'IMAGE_UNKNOWN'],
  ['both names and --all', ['build', '--all', 'base-tools'], 'USAGE'],
  ['an image that is not built', ['inspect', 'go-tools'], 'IMAGE_NOT_BUILT'],
  ['a digest that is not here', ['inspect', `small@${digestOf('f')}`], 'IMAGE_DIGEST'],
  ['the bill of an unknown image', ['sbom', 'smll'], 'IMAGE_UNKNOWN'],
  ['the Containerfile of an unknown image', ['containerfile', evil], 'IMAGE_UNKNOWN'],
  ['a digest that is none', ['load', '--digest', 'x', 'file'], 'USAGE'],
  ['a file that is missing', ['load', 'absent'], 'TOOL_FAILED'],
  ['to remove what is not there', ['rm', 'smal'], 'IMAGE_UNKNOWN'],
  ['to remove a digest that is not there', ['rm', `small@${digestOf('f')}`], 'IMAGE_DIGEST'],
] as const) {
  test(`refuses ${fault}`, async (t) => {
    const store = ownFolder(t);
    installImage(store, makeRecord());
    const thrown = await world(store)
      .run(...argv)
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    t.ok(thrown instanceof CofferdamError);
    t.match(thrown, { code });
    t.notMatch(String(thrown), /[\u001b\u202e]/);
  });
}

test('refuses --locked with --update-lock', async (t) => {
  await t.rejects(world(ownFolder(t)).run('build', '--locked', '--update-lock', 'base-tools'), {
    code: 'commander.conflictingOption',
  });
});

test('inspect --verify notices a tree that was changed', async (t) => {
  const store = ownFolder(t);
  const directory = installImage(store, makeRecord());
  writeFileSync(join(directory, 'rootfs/etc/new'), 'x');
  await t.rejects(world(store).run('inspect', '--verify', 'small'), { code: 'IMAGE_DIGEST' });
});

test('the bill of a loaded image is printed as JSON, not passed on as it is', async (t) => {
  const store = ownFolder(t);
  const directory = installImage(store, makeRecord());
  writeFileSync(join(directory, 'sbom.cdx.json'), JSON.stringify({ a: 1 }));
  const { said, run } = world(store);
  await run('sbom', 'small');
  t.same(JSON.parse(said.out), { a: 1 });
  writeFileSync(join(directory, 'sbom.cdx.json'), '{"a": \u001b[2J');
  await t.rejects(run('sbom', 'small'), { code: 'IMAGE_UNSAFE' });
});

test('every verb has help with an example', async (t) => {
  const { said, run } = world(ownFolder(t));
  for (const verb of ['build', 'ls', 'inspect', 'check', 'sbom', 'containerfile', 'save', 'load', 'outdated', 'rm']) {
    said.out = '';
    await t.rejects(run(verb, '--help'), { code: 'commander.helpDisplayed' });
    t.match(said.out, /Examples?:\n +sandbox image /, verb);
  }
});
