// Tests the keys by which one leaves a terminal: what is theirs is held back, and nothing else is.
import { test } from 'tap';
import { DetachKeys, parseDetachKeys, usualDetachKeys } from '../../../lib/run/life/detachKeys.ts';

const p = String.fromCharCode(16);
const q = String.fromCharCode(17);

function type(keys: readonly number[], pieces: readonly string[]): { passed: string; left: boolean } {
  const detach = new DetachKeys(keys);
  let passed = '';
  for (const piece of pieces) {
    const taken = detach.take(Buffer.from(piece, 'latin1'));
    passed += Buffer.from(taken.passed).toString('latin1');
    if (taken.left) return { passed, left: true };
  }
  return { passed, left: false };
}

test('keys are written as podman writes them', async (t) => {
  t.same(parseDetachKeys(usualDetachKeys), [16, 17]);
  t.same(parseDetachKeys('ctrl-],a,ctrl-@'), [29, 97, 0]);
  t.same(parseDetachKeys(''), []);
  for (const text of ['ctrl-', 'ctrl-P', 'ab', 'a,', ' ', 'ctrl-1'])
    t.throws(() => parseDetachKeys(text), { code: 'VALUE_INVALID' }, text);
});

test('they leave in one piece or in several, and what comes before them is passed on', async (t) => {
  const keys = parseDetachKeys(usualDetachKeys);
  t.same(type(keys, [`ab${p}${q}cd`]), { passed: 'ab', left: true });
  t.same(type(keys, [`ab${p}`, q]), { passed: 'ab', left: true });
  t.same(type(keys, [`${p}${p}${q}`]), { passed: p, left: true });
});

test('the beginning of them is passed on when something else follows', async (t) => {
  const keys = parseDetachKeys(usualDetachKeys);
  t.same(type(keys, [p, `x${q}`]), { passed: `${p}x${q}`, left: false });
  t.same(type(keys, [`a${p}`]), { passed: 'a', left: false }, 'held until then');
  const long = parseDetachKeys('a,a,b');
  t.same(type(long, ['aaab']), { passed: 'a', left: true });
  t.same(type(long, ['aacaab']), { passed: 'aac', left: true });
  t.same(type(long, ['aaaaac']), { passed: 'aaaaac', left: false });
});

test('without keys everything is passed on', async (t) => {
  t.same(type([], [`${p}${q}`, 'x']), { passed: `${p}${q}x`, left: false });
});
