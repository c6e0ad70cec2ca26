// Owns what `sandbox diff` and `sandbox apply` print and do, from a copy that is made to one that is discarded.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { test } from 'tap';
import type { CliContext } from '../../lib/cli/context.ts';
import { applyCommand, diffCommand } from '../../lib/cli/copy.ts';
import { makeCopy } from '../../lib/run/copy.ts';
import { runFolders } from '../../lib/run/folders.ts';
import { callerUid, codeOf, ids, makeFolder, never, pathsBelow, writeTree } from '../run/hostileTree.ts';
import { plainStreams } from './quietContext.ts';

async function scene(t: Parameters<typeof makeFolder>[0], files: Readonly<Record<string, string>>) {
  const root = makeFolder(t);
  const paths = pathsBelow(join(root, 'ours'));
  const folders = runFolders(paths);
  const source = join(root, 'project');
  for (const folder of [folders.copies, folders.records, source]) mkdirSync(folder, { recursive: true });
  writeTree(source, files);
  const make = (id: string) =>
    makeCopy({ source, id, copies: folders.copies, ids, floor: 0, now: Date.now(), signal: never });
  const run = async (command: (context: CliContext) => Command, ...words: string[]) => {
    let [out, err, status] = ['', '', 0];
    const terminal = plainStreams(
      (text: string) => {
        out += text;
      },
      (text: string) => {
        err += text;
      },
    );
    const exit = (code: number) => {
      status = code;
    };
    const context = {
      paths,
      uid: callerUid,
      gid: 0,
      cwd: root,
      env: {},
      version: '0.0.0',
      signal: never,
      exit,
      terminal,
    };
    await command(context).exitOverride().parseAsync(words, { from: 'user' });
    return { out, err, status };
  };
  return { source, folders, make, run };
}

test('a change is listed, shown, tried, applied once, and discarded', async (t) => {
  const { source, make, run } = await scene(t, { 'a.txt': 'one\n', '.git/HEAD': 'x' });
  const copy = await make('r1');
  writeTree(copy.work, { 'a.txt': 'two\n', new: 'x\ny\n' });
  t.match((await run(diffCommand, '--list')).out, /^RUN +AGE +APPLIED +FOLDER\nr1 +\S+ +no +.*project\n$/);
  const shown = await run(diffCommand, 'r1');
  t.match(shown.out, '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n');
  t.match(shown.err, /left out.*: \.git\n/);
  t.equal((await run(diffCommand, '--name-only', 'r1')).out, 'a.txt\nnew\n');
  t.match(
    (await run(diffCommand, '--stat', 'r1')).out,
    'modified  +1 -1  a.txt\nadded     +2 -0  new\n2 changed, 3 lines added, 1 deleted\n',
  );
  const json = JSON.parse((await run(diffCommand, '--json', 'r1')).out);
  t.match(json, {
    id: 'r1',
    source,
    appliedAt: null,
    changes: [{ path: 'a.txt', kind: 'modified', refused: null }, {}],
  });
  t.match((await run(applyCommand, '--dry-run', 'r1')).out, '2 changes would be applied');
  t.equal(readFileSync(join(source, 'a.txt'), 'utf8'), 'one\n');
  t.match(JSON.parse((await run(applyCommand, '--json', 'r1')).out), {
    applied: [{ path: 'a.txt' }, { path: 'new' }],
    refused: [],
  });
  t.equal(readFileSync(join(source, 'a.txt'), 'utf8'), 'two\n');
  t.equal(await codeOf(() => run(applyCommand, 'r1')), 'COPY_CONFLICT', 'once');
  t.match((await run(diffCommand, '--list')).out, /r1 +\S+ +yes/);
  await run(applyCommand, '--discard', 'r1');
  t.notOk(existsSync(copy.folder));
  t.equal((await run(diffCommand, '--list')).out, 'no copies\n');
});

test('refuses as a whole what is never applied, and applies the rest when asked', async (t) => {
  const { source, make, run } = await scene(t, { a: 'x' });
  const copy = await make('r1');
  writeTree(copy.work, { a: 'y', '.envrc': 'evil' });
  symlinkSync('/etc', join(copy.work, 'out\u001b[2J'));
  t.equal(await codeOf(() => run(applyCommand, 'r1')), 'COPY_CONFLICT');
  t.equal(await codeOf(() => run(applyCommand, '--include-guarded', 'r1')), 'COPY_CONFLICT', 'the link stays refused');
  t.equal(readFileSync(join(source, 'a'), 'utf8'), 'x');
  t.match(JSON.parse((await run(diffCommand, '--json', 'r1')).out).changes, [
    { path: '.envrc', refused: /runs code/ },
    {},
    {},
  ]);
  const { out, err } = await run(applyCommand, '--skip-refused', 'r1');
  t.match(out, '1 changes applied');
  t.match(err, 'left out: out\\x1b[2J: the link leads out of the folder\n');
  t.equal(readFileSync(join(source, 'a'), 'utf8'), 'y');
  t.notOk(existsSync(join(source, '.envrc')));
});

test('refuses a run without a copy, one that lives, and flags that contradict each other', async (t) => {
  const { make, run, folders } = await scene(t, { a: 'x' });
  await make('r1');
  t.equal(await codeOf(() => run(diffCommand, 'nothing')), 'RUN_UNKNOWN');
  t.equal(await codeOf(() => run(diffCommand, '../r1')), 'ID_INVALID');
  t.equal(await codeOf(() => run(diffCommand)), 'USAGE');
  t.equal(await codeOf(() => run(diffCommand, '--list', 'r1')), 'USAGE');
  t.equal(await codeOf(() => run(applyCommand, '--discard', '--dry-run', 'r1')), 'USAGE');
  writeFileSync(join(folders.records, 'r1'), '');
  for (const command of [diffCommand, applyCommand]) t.equal(await codeOf(() => run(command, 'r1')), 'COPY_CONFLICT');
  t.equal(await codeOf(() => run(applyCommand, '--discard', 'r1')), 'COPY_CONFLICT');
  rmSync(join(folders.records, 'r1'));
  t.equal(await codeOf(() => run(diffCommand, 'r1')), 'none');
});
