// Owns warning about names that look like others: scripts mixed in one label, or a label of nothing but Latin lookalikes.
import { domainToUnicode } from 'node:url';
import { printable } from '../base/printable.ts';

const scripts = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Cherokee',
  'Hebrew',
  'Arabic',
  'Thai',
  'Georgian',
  'Coptic',
];
/** Written together by people who mean no harm (Unicode UTS 39, "highly restrictive"). */
const eastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u;
const matchers = scripts.map((name) => ({ name, letters: new RegExp(`\\p{Script=${name}}`, 'u') }));

/** Letters that stand as a Latin one in common typefaces (a part of UTS 39's confusables). */
const latinLike =
  /^[аеорсухіјѕԁԛԝһӏвмнкт\u03bf\u03b1\u03bd\u03c1\u03b9\u03ba\u03c4\u03c5\u03c7\u0578\u057d\u0585\u0581\u0570\u0566\u0261\u0131-]+$/u;

function warnLabel(label: string): string | undefined {
  const found = matchers.filter(({ letters }) => letters.test(label)).map(({ name }) => name);
  if (eastAsian.test(label) && found.some((name) => name !== 'Latin')) found.push('East Asian');
  if (found.length > 1) return `"${printable(label, 70)}" mixes ${found.join(' and ')} letters`;
  if (!/^[\u0000-\u007f]*$/.test(label) && latinLike.test(label))
    return `"${printable(label, 70)}" is written with ${found[0] ?? 'other'} letters that look like Latin ones`;
  return undefined;
}

/** What a person should look at twice before allowing `host` (canonical, punycode); a line each, never a refusal. */
export function warnLookalike(host: string): string[] {
  return domainToUnicode(host)
    .split('.')
    .map(warnLabel)
    .filter((warning) => warning !== undefined)
    .map((warning) => `${host}: ${warning}`);
}
