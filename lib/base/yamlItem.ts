// Owns writing an item of a YAML list, in block and in flow form, so that it reads back as the same words.

/** An item of a list: a word, or a flat map of words and whole numbers. */
export type Item = string | Readonly<Record<string, string | number>>;

/** What a plain scalar may be so that nobody reads anything else in it. */
const plain = /^[A-Za-z][A-Za-z0-9._@-]*(?::[0-9]+)?$/;
const special = /^(?:true|false|null)$/i;

function word(text: string | number): string {
  if (typeof text === 'number') return String(text);
  return plain.test(text) && !special.test(text) ? text : JSON.stringify(text);
}

export function flowItem(item: Item): string {
  if (typeof item === 'string') return word(item);
  return `{ ${Object.entries(item)
    .map(([key, value]) => `${word(key)}: ${word(value)}`)
    .join(', ')} }`;
}

export function blockItem(item: Item, indent: string, eol: string): string {
  if (typeof item === 'string') return `${indent}- ${word(item)}`;
  const lines = Object.entries(item).map(([key, value]) => `${word(key)}: ${word(value)}`);
  return lines.map((line, i) => `${indent}${i === 0 ? '- ' : '  '}${line}`).join(eol);
}

/** Keys that are missing, each below the one before, and the list in the last. */
export function blockKeys(keys: readonly string[], item: Item, indent: string, eol: string): string {
  const lines = keys.map((key, depth) => `${indent}${'  '.repeat(depth)}${word(key)}:`);
  return [...lines, blockItem(item, indent + '  '.repeat(keys.length), eol)].join(eol);
}

export const flowKeys = (keys: readonly string[], item: Item): string =>
  keys.reduceRight(
    (inner, key, i) => (i === 0 ? `${word(key)}: ${inner}` : `{ ${word(key)}: ${inner} }`),
    `[${flowItem(item)}]`,
  );
