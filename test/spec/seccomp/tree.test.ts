// Tests that the search tree leads every number to its segment's outcome, for segments of any shape.
import { test } from 'tap';
import { type Segment, searchTree, type Tree } from '../../../lib/spec/seccomp/tree.ts';

function decide(tree: Tree, number: number): { outcome: string; depth: number } {
  let depth = 0;
  let at = tree;
  while (!('outcome' in at)) {
    depth++;
    const holds = at.test === 'equal' ? number === at.number : number >= at.number;
    at = holds ? at.yes : at.no;
  }
  return { outcome: at.outcome, depth };
}

const sizeOf = (tree: Tree): number => ('outcome' in tree ? 0 : 1 + sizeOf(tree.yes) + sizeOf(tree.no));

/** A fixed sequence of numbers below `bound`, so that a failure can be seen again. */
function sequence(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

test('every number reaches its outcome in 200 random tables', async (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const next = sequence(seed);
    const segments: Segment[] = [];
    for (let first = 0; first < 200; first += 1 + next(2) * next(12)) {
      const outcome = ['a', 'b', 'c'].filter((each) => each !== segments.at(-1)?.outcome)[next(2)]!;
      segments.push({ first, outcome, weight: next(4) });
    }
    const tree = searchTree(segments);
    for (let number = 0; number < 220; number++) {
      const wanted = segments.findLast(({ first }) => first <= number)!.outcome;
      const { outcome, depth } = decide(tree, number);
      if (outcome !== wanted) t.fail(`seed ${seed}, number ${number}: ${outcome}, not ${wanted}`);
      if (depth > 12) t.fail(`seed ${seed}, number ${number}: ${depth} comparisons`);
    }
    if (sizeOf(tree) >= segments.length) t.fail(`seed ${seed}: more comparisons than borders`);
  }
  t.pass('all tables');
});

test('one segment needs no comparison, and an exception needs one', async (t) => {
  t.same(searchTree([{ first: 0, outcome: 'a', weight: 1 }]), { outcome: 'a' });
  const hole = [0, 5, 6].map((first, index) => ({ first, outcome: index === 1 ? 'b' : 'a', weight: 1 }));
  t.equal(sizeOf(searchTree(hole)), 1);
});
