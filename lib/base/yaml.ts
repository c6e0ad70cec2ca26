// Owns reading YAML with a place for every key, and editing nothing: the only file that imports the yaml package.
import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { CofferdamError } from './errors.ts';
import { printable } from './printable.ts';

export type KeyPath = readonly (string | number)[];

export interface Located {
  readonly file: string;
  /** Plain data: maps, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** `file:line:column` of the key at `path`, or of its nearest parent that stands in the file. */
  where(path: KeyPath): string;
}

/**
 * Parses one YAML 1.2 document. Duplicate keys, anchors that multiply (more than 100 aliases), tags and several
 * documents are refused. Throws YAML_INVALID with file:line:column.
 */
export function parseYaml(text: string, file: string): Located {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    prettyErrors: false,
  });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const reason = printable((fault.message.split('\n')[0] ?? '').replace(/ at line.*$/, ''));
    throw new CofferdamError('YAML_INVALID', `${place(fault.pos[0])}  ${reason}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new CofferdamError('YAML_INVALID', `${file}:1:1  ${printable(String(cause))}`, { cause });
  }
  const where = (path: KeyPath): string => {
    let node: Node | null = document.contents as Node | null;
    let offset = node?.range?.[0] ?? 0;
    for (const step of path) {
      if (isMap(node)) {
        const pair = (node as YAMLMap).items.find(
          (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
        );
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value as Node | null;
      } else if (node !== null && 'items' in node && Array.isArray(node.items)) {
        const item = node.items[Number(step)] as Node | undefined;
        if (item === undefined) break;
        offset = item.range?.[0] ?? offset;
        node = item;
      } else break;
    }
    return place(offset);
  };
  return { file, value, where };
}
