// Owns changing a list in a YAML text by splicing: every byte that is not of the change stays, comments and layout too.
import { isDeepStrictEqual } from 'node:util';
import type { Pair, YAMLMap, YAMLSeq } from 'yaml';
import { CofferdamError, messageOf } from './errors.ts';
import { printable } from './printable.ts';
import { parseYaml, yaml } from './yaml.ts';
import { blockItem, blockKeys, flowItem, flowKeys, type Item } from './yamlItem.ts';

type Splice = { readonly from: number; readonly to: number; readonly text: string };

class Place {
  readonly text: string;
  readonly eol: string;

  constructor(text: string) {
    this.text = text;
    this.eol = text.includes('\r\n') ? '\r\n' : '\n';
  }

  start(node: unknown): number {
    return (yaml().isNode(node) ? node.range?.[0] : undefined) ?? 0;
  }

  /** Where the value ends, without the blanks and line ends that a block value takes with it. */
  end(node: unknown): number {
    const end = (yaml().isNode(node) ? node.range?.[1] : undefined) ?? 0;
    return this.text.slice(0, end).trimEnd().length;
  }

  lineStart(offset: number): number {
    return this.text.lastIndexOf('\n', offset - 1) + 1;
  }

  /** The end of the line, before its line end: a comment behind the value stays with it. */
  lineEnd(offset: number): number {
    const at = this.text.indexOf('\n', offset);
    if (at === -1) return this.text.length;
    return this.text[at - 1] === '\r' && at - 1 >= offset ? at - 1 : at;
  }

  /** The blanks before a node in a block, as many as its column. */
  indent(offset: number): string {
    return ' '.repeat(offset - this.lineStart(offset));
  }

  /** Takes out the lines from `start` to `end`; the last one of a text without a last line end takes the one before it. */
  wholeLines(start: number, end: number): Splice {
    const [from, to] = [this.lineStart(start), this.lineEnd(end)];
    if (to < this.text.length) return { from, to: to + this.eol.length, text: '' };
    return { from: Math.max(0, from - this.eol.length), to, text: '' };
  }

  below(offset: number, text: string): Splice {
    const at = this.lineEnd(offset);
    return { from: at, to: at, text: `${this.eol}${text}` };
  }
}

function findPair(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((item) => yaml().isScalar(item.key) && String(item.key.value) === key);
}

function insertInFlow(place: Place, collection: YAMLMap | YAMLSeq, text: string): Splice {
  const last = collection.items.at(-1);
  const node = yaml().isPair(last) ? (last.value ?? last.key) : last;
  const at = node === undefined ? place.start(collection) + 1 : place.end(node);
  const padding = node === undefined && yaml().isMap(collection) ? ' ' : '';
  return { from: at, to: at, text: node === undefined ? `${padding}${text}${padding}` : `, ${text}` };
}

function planAppend(place: Place, contents: unknown, path: readonly string[], item: Item): Splice {
  let node = contents;
  for (const [depth, key] of path.entries()) {
    if (!yaml().isMap(node)) {
      const end = place.text.trimEnd().length;
      if (node !== null || depth > 0) throw new TypeError('not a map');
      const text = blockKeys(path, item, '', place.eol);
      return { from: end, to: end, text: `${end === 0 ? '' : place.eol}${text}` };
    }
    const pair = findPair(node, key);
    if (pair === undefined) {
      if (node.flow === true) return insertInFlow(place, node, flowKeys(path.slice(depth), item));
      const text = blockKeys(path.slice(depth), item, place.indent(place.start(node)), place.eol);
      return place.below(place.end(node), text);
    }
    node = pair.value;
  }
  if (!yaml().isSeq(node)) throw new TypeError('not a list');
  if (node.flow === true) return insertInFlow(place, node, flowItem(item));
  return place.below(place.end(node), blockItem(item, place.indent(place.start(node)), place.eol));
}

function planRemove(place: Place, contents: unknown, path: readonly string[], index: number): readonly Splice[] {
  let node = contents;
  let key: unknown;
  for (const step of path) {
    const pair = yaml().isMap(node) ? findPair(node, step) : undefined;
    [node, key] = [pair?.value, pair?.key];
  }
  if (!yaml().isSeq(node)) throw new TypeError('not a list');
  const item = node.items[index];
  const [start, end] = [place.start(item), place.end(item)];
  if (node.flow === true) {
    const [before, after] = [node.items[index - 1], node.items[index + 1]];
    if (after !== undefined) return [{ from: start, to: place.start(after), text: '' }];
    if (before !== undefined) return [{ from: place.end(before), to: end, text: '' }];
    return [{ from: place.start(node) + 1, to: place.end(node) - 1, text: '' }];
  }
  const line = place.wholeLines(start, end);
  if (node.items.length > 1) return [line];
  // A key without a value is refused: the list stays, empty.
  const colon = place.text.indexOf(':', place.end(key)) + 1;
  return [line, { from: colon, to: colon, text: ' []' }];
}

function splice(text: string, splices: readonly Splice[]): string {
  return splices
    .toSorted((a, b) => b.from - a.from)
    .reduce((all, { from, to, text: by }) => all.slice(0, from) + by + all.slice(to), text);
}

type Container = Record<string, unknown>;
type Change = (list: unknown[]) => void;

function child<T>(map: Container, key: string, made: T): T {
  if (!Object.hasOwn(map, key)) map[key] = made;
  return map[key] as T;
}

/** The change made on plain data: what the new text must mean. */
function changeValue(value: unknown, path: readonly string[], change: Change): unknown {
  const root = structuredClone((value ?? {}) as Container);
  const map = path.slice(0, -1).reduce<Container>((here, key) => child(here, key, {}), root);
  change(child<unknown[]>(map, path.at(-1) ?? '', []));
  return root;
}

interface Edit {
  readonly text: string;
  readonly file: string;
  /** Keys down to the list. */
  readonly path: readonly string[];
}

/** Splices, and proves that the new text means the old one with this change and nothing else. */
function editText(
  { text, file, path }: Edit,
  plan: (place: Place, contents: unknown) => readonly Splice[],
  change: (before: unknown) => unknown,
): string {
  const before = text.trim() === '' ? {} : parseYaml(text, file).value;
  let after: string;
  try {
    const { contents } = yaml().parseDocument(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      prettyErrors: false,
    });
    after = splice(text, plan(new Place(text), contents));
    if (!isDeepStrictEqual(parseYaml(after, file).value ?? {}, change(before)))
      throw new TypeError('it would mean something else');
  } catch (cause) {
    const message = `${file}: cannot edit ${path.join('.')} as it is written: ${messageOf(cause)}`;
    throw new CofferdamError('POLICY_EDIT', printable(message, 500), { cause });
  }
  return after;
}

function editList(edit: Edit, plan: Parameters<typeof editText>[1], change: Change): string {
  return editText(edit, plan, (before) => changeValue(before, edit.path, change));
}

/**
 * `text` with `item` at the end of the list at `path`; the list, and maps above it, are made where they are missing.
 * Throws POLICY_EDIT where that cannot be done by an insertion, YAML_INVALID for a text that is none.
 */
export function appendToList(edit: Edit, item: Item): string {
  return editList(
    edit,
    (place, contents) => [planAppend(place, contents, edit.path, item)],
    (list) => list.push(item),
  );
}

/** `text` without item `index` of the list at `path`, and without the comment on its line. Throws as appendToList(). */
export function removeFromList(edit: Edit, index: number): string {
  return editList(
    edit,
    (place, contents) => planRemove(place, contents, edit.path, index),
    (list) => list.splice(index, 1),
  );
}

function planWord(place: Place, contents: unknown, key: string, word: string | undefined): Splice[] {
  if (contents !== null && (!yaml().isMap(contents) || contents.flow === true))
    throw new TypeError('not a map in block style');
  const pair = yaml().isMap(contents) ? findPair(contents, key) : undefined;
  if (pair !== undefined && !yaml().isScalar(pair.value)) throw new TypeError('not a word');
  if (word === undefined)
    return pair === undefined ? [] : [place.wholeLines(place.start(pair.key), place.end(pair.value))];
  const text = JSON.stringify(word);
  if (pair !== undefined) return [{ from: place.start(pair.value), to: place.end(pair.value), text }];
  const end = place.text.trimEnd().length;
  return [{ from: end, to: end, text: `${end === 0 ? '' : place.eol}${key}: ${text}` }];
}

/**
 * `text` with `word` as the value of a key of the outermost map, or without that key. Throws as appendToList(); also where the map is
 * in flow style.
 */
export function setWord(
  { text, file, key }: { readonly text: string; readonly file: string; readonly key: string },
  word: string | undefined,
): string {
  return editText(
    { text, file, path: [key] },
    (place, contents) => planWord(place, contents, key, word),
    (before) => {
      const { [key]: _, ...others } = (before ?? {}) as Container;
      return word === undefined ? others : { ...others, [key]: word };
    },
  );
}
