// Owns reading YAML with a place for every key; yamlEdit.ts changes it. No other file imports the yaml package.
import type * as Yaml from 'yaml';
import type { Document } from 'yaml';
import { CofferdamError } from './errors.ts';
import { onDemand } from './onDemand.ts';
import { printable } from './printable.ts';

/** The package; only yamlEdit.ts takes it from here. */
export const yaml = onDemand<typeof Yaml>('yaml');

export type KeyPath = readonly (string | number)[];

export interface Located {
  readonly file: string;
  /** Plain data: maps, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** `file:line:column` (from 1) of the key at `path`, or of its nearest parent that stands in the file. */
  where(path: KeyPath): string;
}

type Fault = { offset: number; text: string };

/** A file within 1 MiB can nest deep enough to exhaust the stack of whoever walks the value. */
const mostDepth = 64;

/** What is well-formed YAML and still refused: each is a way to write one thing and mean another. */
function findTrap(document: Document.Parsed): Fault | undefined {
  const declared = document.directives;
  if (declared?.docStart === true && declared.yaml.explicit === true && declared.yaml.version !== '1.2') {
    return { offset: 0, text: 'only YAML 1.2 is read' };
  }
  let trap: Fault | undefined;
  const { isAlias, isMap, visit } = yaml();
  visit(document, {
    Node: (_key, node, path) => {
      const offset = node.range?.[0] ?? 0;
      if (isAlias(node) || node.anchor !== undefined) {
        // Aliases can multiply ("billion laughs"), can be circular, and hide a value from whoever reads the place of use.
        trap = { offset, text: 'anchors and aliases are not read; write the value out' };
      } else if (node.tag !== undefined) {
        trap = { offset, text: 'tags are not read; write the plain value' };
      } else if (path.length > 2 * mostDepth) {
        trap = { offset, text: `nested deeper than ${mostDepth}` };
      } else if (isMap(node)) {
        trap = findKeyTrap(node.items);
      }
      return trap === undefined ? undefined : visit.BREAK;
    },
  });
  return trap;
}

function findKeyTrap(items: readonly unknown[]): Fault | undefined {
  // Our own check of duplicates: the package compares each key with each (quadratic), and takes 1 and "1" for two keys.
  const { isNode, isPair, isScalar } = yaml();
  const seen = new Set<string>();
  for (const item of items) {
    const key = isPair(item) ? item.key : undefined;
    const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0;
    if (!isScalar(key) || key.value === null) return { offset, text: 'a key must be a plain word' };
    const text = String(key.value);
    if (text === '__proto__') return { offset, text: 'the key "__proto__" is not allowed' };
    if (seen.has(text)) return { offset, text: `the key "${printable(text, 80)}" stands here twice` };
    seen.add(text);
  }
  return undefined;
}

function locate(document: Document.Parsed, path: KeyPath): number {
  const { isMap, isNode, isScalar } = yaml();
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else if (typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items)) {
      const item: unknown = node.items[Number(step)];
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}

/**
 * Parses one YAML 1.2 document. Duplicate keys, anchors, tags, several documents, deep nesting, another YAML version and
 * an empty file (a lost one, rather than a wish for defaults) are refused. Throws YAML_INVALID with file:line:column.
 */
export function parseYaml(text: string, file: string): Located {
  const { LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    // The counter says line 0 for an empty text.
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const fail = (offset: number, reason: string, cause?: unknown) =>
    new CofferdamError('YAML_INVALID', `${place(offset)}  ${printable(reason)}`, cause === undefined ? {} : { cause });
  if (text.trim() === '') throw fail(0, 'the file is empty');
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const [first = ''] = fault.message.split('\n');
    const reason =
      fault.code === 'MULTIPLE_DOCS'
        ? 'several documents in one file'
        : fault.code === 'RESOURCE_EXHAUSTION'
          ? `nested deeper than ${mostDepth}`
          : fault.code === 'UNEXPECTED_TOKEN'
            ? // The package quotes the text, which may be the value of a secret.
              'unexpected text'
            : first.replace(/ at line.*$/, '');
    throw fail(fault.pos[0], reason);
  }
  const trap = findTrap(document);
  if (trap !== undefined) throw fail(trap.offset, trap.text);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw fail(0, String(cause), cause);
  }
  return { file, value, where: (path) => place(locate(document, path)) };
}
