// Owns the proof of what the first execution in a run must see of itself.
import { test } from 'tap';
import { findLacking } from '../../../lib/run/life/proof.ts';

const wanted = ['CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2', 'mnt:[4026531841]'];

test('nothing is lacking where every line is there, in any order and among others', async (t) => {
  t.strictSame(findLacking(['Name:\tcat', ...wanted.toReversed(), ''].join('\n'), wanted), []);
});

test('what is another, half there or not there is named', async (t) => {
  const said = 'CapEff:\t0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t2 \nmnt:[40265318410]\n';
  t.strictSame(findLacking(said, wanted), ['CapEff', 'Seccomp', 'mnt']);
  t.strictSame(findLacking('', wanted), ['CapEff', 'NoNewPrivs', 'Seccomp', 'mnt']);
});
