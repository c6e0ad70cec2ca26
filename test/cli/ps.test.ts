// Owns what `sandbox ps` and its like do about a sandbox that they cannot read: the others are shown, and it is named.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { createProgram } from '../../lib/cli/program.ts';
import { sandboxFolder } from '../../lib/run/life/sandbox.ts';
import { makeSandbox } from '../run/life/sandboxScene.ts';
import { makeWorld } from './firewallWorld.ts';

async function makeListed(t: Test) {
  const { egress, hostConfig, run } = makeWorld(t, createProgram);
  const root = dirname(egress);
  const paths = { hostConfig, config: root, data: root, state: root, run: root, imageStores: [], install: root };
  const spoil = async (name: string, change: (text: string) => string) => {
    const { id } = await makeSandbox(paths, { name });
    const file = join(sandboxFolder(paths, id), 'sandbox.json');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    return { id, file };
  };
  await makeSandbox(paths, { name: 'plain' });
  const newer = await spoil('newer', (text) => text.replace('"version": 1', '"version": 2, "colour": "red"'));
  const damaged = await spoil('damaged', (text) => text.slice(0, 100));
  return { newer, damaged, run: (...words: string[]) => run({}, ...words) };
}

test('ps shows the others, and says on stderr which are left out and what to do', async (t) => {
  const { newer, damaged, run } = await makeListed(t);
  for (const words of [
    ['ps', '-a', '-q', '--no-trunc'],
    ['ps', '-a', '--format', '{{.Name}}'],
    ['ps', '--execs', '-q'],
  ]) {
    const { out, err, status } = await run(...words);
    t.equal(status, 0);
    t.notMatch(out, new RegExp(`${newer.id}|${damaged.id}|newer|damaged`));
    t.match(err, new RegExp(`sandbox: ${newer.id} is left out: .* by a newer version of Cofferdam\n  use the version`));
    t.match(
      err,
      new RegExp(`sandbox: ${damaged.id} is left out: .* is damaged: .*\n  .*sandbox rm -f ${damaged.id}\n`),
    );
  }
  const { out } = await run('ps', '-a', '--format', 'json');
  t.match(JSON.parse(out), [{ Name: 'plain', State: 'created' }]);
  t.match((await run('stats', '--no-stream')).err, new RegExp(`${newer.id} is left out`));
});

test('refuses to inspect one that it cannot read, by its name too, and rm -f leaves a newer one', async (t) => {
  const { newer, damaged, run } = await makeListed(t);
  const text = readFileSync(newer.file, 'utf8');
  for (const word of ['newer', newer.id]) await t.rejects(run('inspect', word), { code: 'SANDBOX_NEWER' }, word);
  for (const word of ['damaged', damaged.id])
    await t.rejects(run('inspect', word), { code: 'CONFIG_UNREADABLE' }, word);
  await t.rejects(run('rm', '-f', newer.id), { code: 'SANDBOX_NEWER' });
  t.equal(readFileSync(newer.file, 'utf8'), text);
});
