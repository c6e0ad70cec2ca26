// Owns --format: rows as JSON, as a table, or through a template in the form of Go's that podman and docker users know.
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable, printableJson } from '../base/printable.ts';
import { renderTable } from './print.ts';

export interface Column<T> {
  /** As templates and JSON name it: `ID`, `Name`. */
  readonly name: string;
  readonly header: string;
  readonly value: (row: T) => string;
  /** What JSON shows, where that is more than the text: numbers, maps, lists. */
  readonly json?: (row: T) => unknown;
}

type Part<T> = { readonly text: string } | { readonly column: Column<T>; readonly asJson: boolean } | 'whole';

const remedy = 'use json, table, or a template of fields: {{.FIELD}}, {{json .FIELD}}, {{json .}}';
const mostCharacters = 4096;

function usage(message: string): CofferdamError {
  return new CofferdamError('USAGE', `--format: ${message}`, { remedy });
}

function findColumn<T>(columns: readonly Column<T>[], name: string): Column<T> {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = columns.map((column) => column.name);
  throw usage(
    `there is no field "${printable(name, 60)}"${didYouMean(name, names)}; the fields are ${names.join(', ')}`,
  );
}

function parseAction<T>(action: string, columns: readonly Column<T>[]): Part<T> {
  const [, json, name] = /^(json\s+)?\.([A-Za-z0-9_]*)$/.exec(action.trim()) ?? [];
  if (name === undefined || (name === '' && json === undefined)) {
    throw usage(`"{{${printable(action, 60)}}}" is not one we understand`);
  }
  return name === '' ? 'whole' : { column: findColumn(columns, name), asJson: json !== undefined };
}

/** `\t` and `\n` as a shell passes them on: two characters. */
function unescapeText(text: string): string {
  return text.replace(/\\([tn\\])/g, (_, letter: string) => ({ t: '\t', n: '\n' })[letter] ?? letter);
}

function parseTemplate<T>(template: string, columns: readonly Column<T>[]): Part<T>[] {
  const parts: Part<T>[] = [];
  let rest = template;
  for (let begin = rest.indexOf('{{'); begin !== -1; begin = rest.indexOf('{{')) {
    const end = rest.indexOf('}}', begin);
    if (end === -1) throw usage('"{{" without "}}"');
    if (begin > 0) parts.push({ text: unescapeText(rest.slice(0, begin)) });
    parts.push(parseAction(rest.slice(begin + 2, end), columns));
    rest = rest.slice(end + 2);
  }
  if (parts.length === 0) {
    throw usage(`"${printable(template, 60)}" names no field${didYouMean(template, ['json', 'table'])}`);
  }
  return rest === '' ? parts : [...parts, { text: unescapeText(rest) }];
}

function jsonOf<T>(row: T, column: Column<T>): unknown {
  return column.json === undefined ? column.value(row) : column.json(row);
}

function objectOf<T>(row: T, columns: readonly Column<T>[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column.name, jsonOf(row, column)]));
}

function renderPart<T>(part: Part<T>, row: T, columns: readonly Column<T>[]): string {
  if (part === 'whole') return printableJson(objectOf(row, columns), 0);
  if ('text' in part) return part.text;
  return part.asJson ? printableJson(jsonOf(row, part.column), 0) : printable(part.column.value(row), mostCharacters);
}

function headerOf<T>(part: Part<T>): string {
  if (part === 'whole') return 'JSON';
  return 'text' in part ? part.text : part.column.header;
}

/** `table` or `table TEMPLATE`, whose columns are parted by tabs. */
function formatTable<T>(rows: readonly T[], columns: readonly Column<T>[], template: string): string {
  const parts: Part<T>[] =
    template === ''
      ? columns.flatMap((column, i) => [...(i === 0 ? [] : [{ text: '\t' }]), { column, asJson: false }])
      : parseTemplate(template, columns);
  const cells = (line: string) => line.split('\t');
  return renderTable(
    cells(parts.map(headerOf).join('')),
    rows.map((row) => cells(parts.map((part) => renderPart(part, row, columns)).join(''))),
  );
}

/**
 * `rows` as `format` says: `json` (an array of objects), `table` (all columns), `table {{.A}}\t{{.B}}`, or a template, one
 * line for each row. Ends in a newline unless it is empty; what the rows hold is made harmless. Throws USAGE naming the
 * nearest field.
 */
export function formatRows<T>(rows: readonly T[], columns: readonly Column<T>[], format: string): string {
  const wanted = format.trim();
  if (wanted === 'json') return `${printableJson(rows.map((row) => objectOf(row, columns)))}\n`;
  const [, template] = /^table(?:\s+(.*))?$/s.exec(wanted) ?? [];
  if (template !== undefined || wanted === 'table') return formatTable(rows, columns, template ?? '');
  const parts = parseTemplate(format, columns);
  return rows.map((row) => `${parts.map((part) => renderPart(part, row, columns)).join('')}\n`).join('');
}
