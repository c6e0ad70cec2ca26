// Owns the promises of --format: what json, table and templates print, and what they refuse.
import { test } from 'tap';
import type { CofferdamError } from '../../lib/base/errors.ts';
import { type Column, formatRows } from '../../lib/cli/format.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly pids: number;
}

const columns: Column<Row>[] = [
  { name: 'ID', header: 'id', value: (row) => row.id },
  { name: 'Name', header: 'name', value: (row) => row.name },
  { name: 'PIDs', header: 'pids', value: (row) => String(row.pids), json: (row) => row.pids },
];
const rows: Row[] = [
  { id: 's1', name: 'a-long-name', pids: 3 },
  { id: 's22', name: 'b', pids: 12 },
];

function refusal(format: string): { code: string; message: string } {
  try {
    formatRows(rows, columns, format);
  } catch (error) {
    const { code, message } = error as CofferdamError;
    return { code, message };
  }
  return { code: 'none', message: '' };
}

test('json is an array of objects, with numbers as numbers', async (t) => {
  t.same(JSON.parse(formatRows(rows, columns, 'json')), [
    { ID: 's1', Name: 'a-long-name', PIDs: 3 },
    { ID: 's22', Name: 'b', PIDs: 12 },
  ]);
  t.equal(formatRows([], columns, 'json'), '[]\n');
});

test('a table is aligned and has a header', async (t) => {
  t.equal(formatRows(rows, columns, 'table'), 'ID   NAME         PIDS\ns1   a-long-name  3\ns22  b            12\n');
  t.equal(formatRows([], columns, 'table'), 'ID  NAME  PIDS\n');
  const chosen = 'NAME         ID\na-long-name  s1\nb            s22\n';
  t.equal(formatRows(rows, columns, 'table {{.Name}}\\t{{.ID}}'), chosen, 'a backslash and a t, as a shell passes it');
  t.equal(formatRows(rows, columns, 'table {{.Name}}\t{{ .ID }}'), chosen);
});

test('a template makes one line for each row', async (t) => {
  t.equal(formatRows(rows, columns, '{{.ID}}={{ .PIDs }}!'), 's1=3!\ns22=12!\n');
  t.equal(formatRows(rows, columns, '{{json .Name}}\\t{{json .PIDs}}'), '"a-long-name"\t3\n"b"\t12\n');
  t.equal(formatRows(rows, columns, '{{json .}}').split('\n')[1], '{"ID":"s22","Name":"b","PIDs":12}');
  t.equal(formatRows([], columns, '{{.ID}}'), '');
});

test('hostile values are harmless in every format', async (t) => {
  const hostile = 'a\u001b[31m\tb\nc\u202e\u200b';
  const row = [{ id: 's1', name: hostile, pids: 1 }];
  for (const format of ['json', 'table', 'table {{.Name}}\t{{.ID}}', '{{.Name}}', '{{json .}}', '{{json .Name}}']) {
    const text = formatRows(row, columns, format);
    t.notMatch(text, /[^\P{C}\n]/u, `${format}: nothing invisible`);
    t.equal(text.split('\n').length > 1, true);
  }
  t.equal(formatRows(row, columns, '{{.Name}}').split('\n').length, 2, 'one line');
  const [parsed] = JSON.parse(formatRows(row, columns, 'json')) as { Name: string }[];
  t.equal(parsed?.Name, hostile, 'JSON keeps the value');
});

test('refuses a field that does not exist, naming the nearest', async (t) => {
  t.match(refusal('{{.Nmae}}'), { code: 'USAGE', message: /"Nmae"; did you mean "Name"/ });
  t.match(refusal('{{.id}}'), { code: 'USAGE', message: /did you mean "ID"/ });
  t.match(refusal('table {{.constructor}}'), { code: 'USAGE', message: /the fields are ID, Name, PIDs/ });
  t.match(refusal('{{json .__proto__}}'), { code: 'USAGE' });
});

test('refuses what is no format', async (t) => {
  t.match(refusal('jsno'), { code: 'USAGE', message: /did you mean "json"/ });
  for (const format of [
    '',
    'xml',
    'tables',
    '{{.ID',
    '{{}}',
    '{{.}}',
    '{{range .}}{{.ID}}{{end}}',
    '{{.ID.x}}',
    '{{json}}',
  ])
    t.match(refusal(format), { code: 'USAGE' }, format);
});
