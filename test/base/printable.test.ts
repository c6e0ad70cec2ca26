// Owns the proof that no text of a guest can speak to a terminal, hide, or flood it.
import { test } from 'tap';
import { printable, printableJson } from '../../lib/base/printable.ts';

test('ordinary text of any language stays as it is', async (t) => {
  for (const text of ['', 'plain', 'C:\\path', 'ünï', '日本語', 'עברית', 'हिन्दी', '🙂', 'a "quoted" <tag> $(x) `y`']) {
    t.equal(printable(text), text);
  }
});

const hostile: Readonly<Record<string, string>> = {
  'a colour': '\u001b[31mred\u001b[0m',
  'a window title': '\u001b]0;owned\u0007',
  'a hyperlink': '\u001b]8;;http://evil.example\u001b\\text\u001b]8;;\u001b\\',
  'an 8-bit control sequence': '\u009b31m',
  'a line of its own': 'ok\nsandbox: all is well',
  'a carriage return': 'refused\rallowed',
  'a backspace': 'evil\b\b\b\bgood',
  'a form feed': 'a\fb',
  'a NUL': 'a\u0000b',
  'a DEL': 'a\u007fb',
  'a bidi override': 'user\u202e\u2066// check\u2069',
  'a bidi mark': 'a\u200eb\u200fc\u061cd',
  'a zero-width space': 'example\u200b.org',
  'a zero-width joiner': 'a\u200db',
  'a word joiner': 'a\u2060b',
  'a byte order mark': '\ufeffa',
  'a soft hyphen': 'exam\u00adple',
  'a line separator': 'a\u2028b\u2029c',
  'a next line': 'a\u0085b',
  'a Hangul filler': 'a\u3164b\uffa0c\u115f',
  'a variation selector': 'a\ufe0fb\u{e0100}',
  'a tag character': 'a\u{e0041}b',
  'a lone surrogate': 'a\ud800b\udc00',
  'private use': 'a\ue000b\u{f0000}',
  'an unassigned character': 'a\u0378b',
  'an interlinear annotation': 'a\ufff9b\ufffac\ufffb',
};

test('what a terminal would obey or not show is escaped', async (t) => {
  for (const [title, text] of Object.entries(hostile)) {
    const shown = printable(text);
    t.match(shown, /\\(x[0-9a-f]{2}|u\{[0-9a-f]+\}|[nrt])/, `${title} is visible`);
    t.notMatch(
      shown,
      /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u,
      `${title} is gone`,
    );
  }
});

test('every character of the basic plane becomes one line', async (t) => {
  const shown = Array.from({ length: 0x10000 }, (_, point) => printable(String.fromCharCode(point))).join('');
  t.notMatch(shown, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
});

test('the result is bounded, whatever comes in', async (t) => {
  t.equal(printable('x'.repeat(201)), `${'x'.repeat(200)}…`);
  t.equal(printable('x'.repeat(200)), 'x'.repeat(200), 'what fits is not marked');
  t.equal(printable('abcdef', 3), 'abc…');
  t.equal(printable('🙂'.repeat(4), 3), '🙂🙂🙂…', 'characters are counted and none is cut in half');
  t.ok(printable('\u001b'.repeat(50_000_000)).length <= 200 * 10 + 1, 'megabytes are cut before they are looked at');
});

test('JSON for a terminal parses back to the same and holds no invisible character', (t) => {
  const value = { a: 'x\u202ey\u009b31m\u007f\u{e0041}\n"\\', '\u200bkey': ['\ud800', '😀 é'] };
  const text = printableJson(value);
  t.same(JSON.parse(text), value);
  t.notMatch(text, /[\u007f-\u009f\u200b\u202e]|\u{e0041}/u);
  t.match(text, /😀 é/, 'ordinary text stays readable');
  t.end();
});
