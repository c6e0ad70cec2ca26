// The encoder is the one place where argv becomes JSON on the short way; it must agree with JSON.stringify on every text.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { findTool } from '../../lib/engine/tools.ts';

const source = join(import.meta.dirname, '../../lib/run/shell/encode.sh.in');

function encoder(t: Test): (argv: readonly string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-encode-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'encode');
  const text = readFileSync(source, 'utf8').replaceAll('@awk@', findTool('awk') ?? '');
  writeFileSync(script, `set -eu\n${text}\nencode_json "$@" || exit 3\nprintf '[%s]' "$json"\n`);
  return (argv) => runToolSync('/bin/sh', [script, ...argv]).stdout;
}

// mulberry32: the same texts in every run, so that a failure can be repeated.
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function arbitrary(next: () => number): string {
  const awkward = [
    '"',
    '\\',
    '\n',
    '&',
    '$(id)',
    '`',
    "'",
    '\t',
    '\r',
    '\u007f',
    '-n',
    '--',
    '=',
    '%s',
    '\\u0041',
    '@@ARGV@@',
  ];
  return Array.from({ length: Math.floor(next() * 24) }, () => {
    const kind = next();
    if (kind < 0.4) return awkward[Math.floor(next() * awkward.length)];
    if (kind < 0.6) return String.fromCodePoint(1 + Math.floor(next() * 126));
    if (kind < 0.8) return String.fromCodePoint(0x80 + Math.floor(next() * 0xd000));
    return String.fromCodePoint(0x10000 + Math.floor(next() * 0xfffff));
  }).join('');
}

test('agrees with JSON.stringify on ordinary and awkward words', (t) => {
  const encode = encoder(t);
  const cases = [
    [],
    [''],
    ['a', 'b c', ''],
    ['-n', '-e', '--', '-v', '--help', 'x=1', 'a=b c'],
    ['"quoted"', 'back\\slash', "it's", '$(touch /tmp/x)', '`id`', '${HOME}', '%s%n'],
    ['line\nbreak', 'tab\t', 'cr\r', '\b\f\u0001\u001f\u007f'],
    ['é', '€', '😀', '\u2028', '\ufeff', '\u{10ffff}'],
    ['&', 'a & b', '\\&', '\\\\'],
  ];
  for (const argv of cases) t.equal(encode(argv), JSON.stringify(argv));
  t.end();
});

test('agrees with JSON.stringify on 300 arbitrary argument lists', (t) => {
  const encode = encoder(t);
  const next = random(20_261_120);
  for (let i = 0; i < 300; i++) {
    const argv = Array.from({ length: Math.floor(next() * 6) }, () => arbitrary(next));
    const got = encode(argv);
    if (got !== JSON.stringify(argv)) t.equal(got, JSON.stringify(argv), `list ${i}`);
  }
  t.end();
});

test('takes arguments of 100 KB, also where every byte must be escaped', (t) => {
  const encode = encoder(t);
  for (const unit of ['"', '\\', '\n', 'é', 'a']) {
    const argv = [unit.repeat(100_000 / Buffer.byteLength(unit))];
    t.ok(encode(argv) === JSON.stringify(argv), JSON.stringify(unit));
  }
  t.end();
});

test('refuses what is not UTF-8: overlong forms, surrogates, beyond U+10FFFF, cut sequences', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-encode-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const text = readFileSync(source, 'utf8').replaceAll('@awk@', findTool('awk') ?? '');
  for (const bad of [
    '80',
    'ff',
    'c0af',
    'e080af',
    'eda080',
    'f0808080',
    'f4908080',
    'f8888080',
    'c3',
    'e282',
    'f09f98',
    'c3a9c3',
  ]) {
    const octal = bad.replaceAll(/../g, (byte) => `\\${Number.parseInt(byte, 16).toString(8).padStart(3, '0')}`);
    const script = `set -eu\n${text}\nencode_json ok "$(printf 'x${octal}')" || exit 3\n`;
    t.equal(runToolSync('/bin/sh', ['-c', script], { accept: [0, 3] }).exitCode, 3, bad);
  }
  t.end();
});
