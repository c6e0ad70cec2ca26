// Owns --filter and the names of signals: what they mean, and what is refused.
import { test } from 'tap';
import { compileFilters } from '../../../lib/run/life/filter.ts';
import { parseSignal } from '../../../lib/run/life/signal.ts';
import { makeSandbox, setPaths } from './sandboxScene.ts';

test('kinds must all hold; of one kind any; every label', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, { name: 'web-1', labels: { a: '1', b: 'x=y', empty: '' } });
  const listed = { sandbox, state: { status: 'created' } } as const;
  const cases: [string[], boolean][] = [
    [[], true],
    [['name=web'], true],
    [['name=db'], false],
    [['name=db', 'name=eb-'], true],
    [['name=web', 'status=running'], false],
    [['status=running', 'status=created'], true],
    [['label=a'], true],
    [['label=a=1', 'label=b=x=y'], true],
    [['label=a=1', 'label=b'], true],
    [['label=a=1', 'label=c'], false],
    [['label=a=2'], false],
    [['label=empty='], true],
    [['label=toString'], false],
    [[`id=${sandbox.id.slice(0, 5)}`], true],
    [['id=r'], false],
    [['profile=base-tools'], true],
    [['profile=base'], false],
  ];
  for (const [filters, expected] of cases) t.equal(compileFilters(filters)(listed), expected, filters.join(' '));
});

test('refuses filters that are none', async (t) => {
  for (const text of ['', 'name', 'name=', '=x', 'status=up', 'constructor=x', 'nme=web', '\u202e=x'])
    t.throws(() => compileFilters([text]), { code: 'USAGE' }, JSON.stringify(text));
  t.throws(() => compileFilters(['nme=web']), { message: /names no field; did you mean "name"/ });
});

test('signals are taken by name, with and without SIG, and by number', async (t) => {
  for (const text of ['TERM', 'SIGTERM', 'term', '15']) t.equal(parseSignal(text), 'TERM');
  t.equal(parseSignal('9'), 'KILL');
  for (const text of ['', '0', '-9', 'TREM', '999', 'SIGSIGTERM', '../x', 'TERM KILL'])
    t.throws(() => parseSignal(text), { code: 'VALUE_INVALID' }, text);
  t.throws(() => parseSignal('TREM'), { message: /did you mean "TERM"/ });
});
