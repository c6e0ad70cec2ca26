// Owns what `sandbox profile` prints, and that a hostile profile cannot reach the terminal with it.
import { join } from 'node:path';
import { test } from 'tap';
import type { CliContext } from '../../lib/cli/context.ts';
import { profileCommand } from '../../lib/cli/profile.ts';
import { profileSchema } from '../../lib/profile/schema.ts';
import { makeWorld, self, type World } from '../profile/world.ts';
import { plainStreams } from './quietContext.ts';

async function run(world: World, ...words: string[]): Promise<{ out: string; err: string; status: number }> {
  let [out, err, status] = ['', '', 0];
  const context: CliContext = {
    // The ceiling must be root's; where there is no such folder the built-in one holds.
    paths: { ...world.paths, hostConfig: join(world.root, 'nowhere/config.yaml') },
    uid: self,
    gid: 0,
    cwd: join(world.root, 'cwd'),
    env: {},
    version: '0.0.0',
    signal: new AbortController().signal,
    exit: (code) => {
      status = code;
    },
    terminal: plainStreams(
      (text) => {
        out += text;
      },
      (text) => {
        err += text;
      },
    ),
  };
  await profileCommand(context).exitOverride().parseAsync(words, { from: 'user' });
  return { out, err, status };
}

test('ls lists every profile, and says what is wrong with one', async (t) => {
  const world = makeWorld(t);
  world.profile('broken', 'limits:\n  memroy: 1g\n');
  const { out } = await run(world, 'ls');
  t.match(out, /^NAME +IMAGE +FROM +DESCRIPTION\n/);
  t.match(out, /\npython-tools +python-tools +shipped +Python/);
  t.match(out, /\nbroken +- +user +CONFIG_INVALID: .*broken\.yaml:2:3 {2}limits\.memroy: unknown key/);
  const rows = JSON.parse((await run(world, 'ls', '--json')).out) as { name: string; error: unknown }[];
  t.match(
    rows.find(({ name }) => name === 'broken'),
    { origin: 'user', error: { code: 'CONFIG_INVALID' } },
  );
});

test('show prints each key, its value and the line that sets it', async (t) => {
  const world = makeWorld(t);
  world.profile('mine', 'extends: base-tools\nlimits:\n  idle: 30s\n');
  const { out } = await run(world, 'show', 'mine');
  t.match(out, /\nlimits\.idle +30s +.*mine\.yaml:3:3\n/);
  t.match(out, /\nlimits\.memory +512m +.*base-tools\.yaml:9:3\n/);
  t.match(out, /\nengine +best +\(default\)\n/);
  const shown = JSON.parse((await run(world, 'show', 'mine', '--json')).out);
  t.match(shown, { name: 'mine', profile: { limits: { memory: '512m', idle: '30s' } } });
  t.ok(profileSchema.safeParse(shown.profile).success, 'what it prints could stand in a file');
});

test('check says ok, or every fault, and exits with 2', async (t) => {
  const world = makeWorld(t);
  world.write('cwd/good.yaml', 'extends: default\n');
  world.write('cwd/bad.yaml', 'limits:\n  memroy: 1g\n  pids: 1\n');
  world.write('cwd/later.yaml', 'network: {mode: bridge}\n');
  t.same(await run(world, 'check', 'good.yaml'), { out: 'good.yaml: ok\n', err: '', status: 0 });
  const { out, status } = await run(world, 'check', 'good.yaml', 'bad.yaml', 'later.yaml', 'none.yaml');
  t.equal(status, 2);
  t.match(out, /bad\.yaml:2:3 .*\[CONFIG_INVALID\]\n.*bad\.yaml:3:3 .*\[CONFIG_INVALID\]/);
  t.match(out, /later\.yaml:1:11 .*\[NOT_YET_ENFORCED\]/);
  t.match(out, /none\.yaml \[PROFILE_UNKNOWN\]/);
  const json = JSON.parse((await run(world, 'check', '--json', 'bad.yaml')).out);
  t.match(json, [{ file: 'bad.yaml', findings: [{ code: 'CONFIG_INVALID' }, { code: 'CONFIG_INVALID' }] }]);
});

test('schema prints JSON Schema', async (t) => {
  const schema = JSON.parse((await run(makeWorld(t), 'schema')).out);
  t.match(schema, { $schema: /2020-12/, title: 'Cofferdam profile', additionalProperties: false });
});

test('no command prints control, bidi or invisible characters of a profile', async (t) => {
  const world = makeWorld(t);
  const hostile = '"\\e]0;owned\\a\\u202e\\u200b\\r\\nrow"';
  world.profile('hostile', `description: ${hostile}\nenv:\n  A: ${hostile}\nlabels: {a: ${hostile}}\n`);
  world.write('cwd/keys.yaml', `${hostile}: 1\n`);
  for (const words of [['ls'], ['show', 'hostile'], ['check', 'keys.yaml', '\u001b[31m.yaml']]) {
    const { out, err } = await run(world, ...words);
    t.notMatch(`${out}${err}`, /[\u0000-\u0009\u000b-\u001f\u007f\u202e\u200b]/, words.join(' '));
  }
});
