import { test } from 'tap';
import { runTool, runToolSync } from '../../lib/base/exec.ts';
import { checkScript, contractChecks, readCheck } from '../../lib/image/contract.ts';
import { definedImages, loadDefinition } from '../../lib/image/definition.ts';
import { makeRecord, ownFolder } from './fixtures.ts';

const install = new URL('../..', import.meta.url).pathname;
const { capabilities } = makeRecord();

test('every shipped image gets a script that shellcheck passes, with unique ids', async (t) => {
  for (const name of definedImages(install)) {
    const { image } = loadDefinition(install, name);
    const ids = contractChecks(image.capabilities).map(({ id }) => id);
    t.equal(new Set(ids).size, ids.length, name);
    // 2009: ps is what is tested. 2016: `$` in single quotes is for the inner shell. 2034, 2086, 2154: tested as such.
    const options = ['-s', 'sh', '-e', 'SC2009,SC2016,SC2034,SC2086,SC2154,SC2317,SC2329', '-'];
    await t.resolves(runTool('shellcheck', options, { input: checkScript(image) }), name);
  }
});

test('the script reports every check, and a missing tool fails its own check only', async (t) => {
  const folder = ownFolder(t);
  const wanted = { ...capabilities, tools: ['sed', 'no-such-tool'] };
  // An image has a few thousand files, this host as many as it likes.
  const script = `find() { [ "$1" = / ] || command find "$@"; }\n${checkScript({ capabilities: wanted })}`;
  const { stdout } = runToolSync('sh', ['-c', script], { env: { TMPDIR: folder } });
  const results = readCheck(stdout, contractChecks(wanted));
  const find = (id: string) => results.find((result) => result.id === id);
  t.equal(find('tool.sed')?.ok, true);
  t.equal(find('cat')?.ok, true);
  t.equal(find('find')?.ok, true);
  t.equal(find('exit-codes')?.ok, true);
  t.equal(find('streams')?.ok, true);
  t.same(find('tool.no-such-tool'), { id: 'tool.no-such-tool', ok: false, text: 'the tool no-such-tool' });
  t.notOk(results.some(({ text }) => text.includes('did not report')));
});

test('a check that did not report has failed', async (t) => {
  const results = readCheck('PASS cat\n', contractChecks(capabilities));
  t.equal(results.filter(({ ok }) => ok).length, 1);
  t.equal(
    readCheck('', contractChecks(capabilities)).every(({ ok }) => !ok),
    true,
  );
});

test('what an image prints cannot turn a failure into a pass, nor reach the terminal raw', async (t) => {
  t.same(readCheck('FAIL cat missing\nPASS cat\nPASS  cat\n PASS cp\nhello\n'), [
    { id: 'cat', ok: false, text: 'missing' },
  ]);
  const [result] = readCheck('FAIL cat \u001b[2Jx\u202e\n');
  t.equal(result?.text, '\\x1b[2Jx\\u{202e}');
});
